import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { examine } from "../shared/examination/examine.ts";
import type { Examination } from "../shared/examination/examine.ts";
import { openPrimary } from "../src/primary.ts";
import { commands } from "../src/commands.ts";
import { Transcript } from "./harness/golden.ts";
import type { Naming } from "./harness/golden.ts";
import { LeftBehind } from "./harness/left-behind.ts";
import { StoppedNodes, everything, flip, newestSegment, segment } from "./harness/stopped-nodes.ts";

/* `tailrace check`: whatever is wrong with a data folder is said with its place, and nothing is ever changed. */

const nodes = new StoppedNodes();
const { home, primaryFile, replicaFile } = nodes;
beforeAll(() => nodes.make());
afterAll(() => nodes.remove());
const copyOf = (file: string): string => nodes.copyOf(file);

/** What is wrong, by file; proves that nothing was changed. */
function examined(folder: string, isDeep = false): Examination {
  const before = everything(folder);
  const found = examine({ folder, isDeep, onProgress: () => {} });
  expect(everything(folder)).toBe(before);
  return found;
}

function wrong(folder: string, isDeep = false): readonly string[] {
  return examined(folder, isDeep)
    .findings.filter(({ severity }) => severity !== "ok")
    .map(({ severity, file, offset, text }) => `${severity} ${file}:${offset} ${text}`);
}

const namings = (folder: string): readonly Naming[] => [
  [folder, "DIR"],
  [home, "HOME"],
  [/\b[0-9a-f]{32}\b/g, "LOGID"],
  [/\b\d replicas?\b/g, "N replicas"],
  [/database checksum [0-9a-f]{16}/g, "database checksum CHECKSUM"],
  [/"(databaseChecksum)":"[0-9a-f]{16}"/g, '"$1":"CHECKSUM"'],
];

describe("a data folder in which all is well", () => {
  test("of a primary", async () => {
    const folder = copyOf(primaryFile);
    expect(wrong(folder)).toEqual([]);
    expect(wrong(folder, true)).toEqual([]);
    const transcript = new Transcript(
      "A stopped primary's data folder, in which nothing is wrong.",
      namings(folder),
    );
    const before = everything(folder);
    await transcript.run(commands, ["check", folder]);
    await transcript.run(commands, ["check", folder, "--deep"]);
    await transcript.run(commands, ["check", folder, "--json"]);
    expect(everything(folder)).toBe(before);
    transcript.expectGolden("check/a-primary");
  });

  test("of a replica", async () => {
    const folder = copyOf(replicaFile);
    expect(wrong(folder, true)).toEqual([]);
    const transcript = new Transcript(
      "A stopped replica's data folder, in which nothing is wrong.",
      namings(folder),
    );
    await transcript.run(commands, ["check", folder]);
    transcript.expectGolden("check/a-replica");
  });

  test("is found by its database's path, or through a link", async () => {
    const folder = copyOf(primaryFile);
    writeFileSync(join(folder, "../app.db"), "");
    symlinkSync(folder, join(folder, "../link"));
    const transcript = new Transcript(
      "The database's path, or a link, lead to the data folder.",
      namings(folder),
    );
    for (const path of ["../app.db", "../link"]) {
      const { code, stdout } = await transcript.run(commands, ["check", join(folder, path)]);
      expect(code, stdout).toBe(0);
      expect(stdout).toContain(`${folder}, of a primary: nothing is damaged`);
    }
  });
});

type Spoil = readonly [
  what: string,
  spoil: (folder: string) => void,
  expected: readonly RegExp[],
  isDeep?: boolean,
];

const SPOILS: readonly Spoil[] = [
  [
    "a flipped bit in a sealed segment",
    (folder) => flip(segment(folder, 2), 20_000),
    [
      /^damaged log\/0{15}2\.log:\d+ record of transaction \d+ does not match its checksum; transactions 1 to \d+ before it are good$/,
      /^note snapshots\/00000002\.db:null generation 2, .*: it stands past the damage in the log$/,
      /^note pages\.sum:null .*: it stands past the damage in the log$/,
      /^note clean-close\.json:null closed at transaction 40, past the damage/,
    ],
  ],
  [
    "two bad places",
    (folder) => {
      flip(segment(folder, 2), 20_000);
      flip(segment(folder, 3), 500);
    },
    [
      /^damaged log\/0{15}2/,
      /^damaged log\/0{15}3\.log:\d+ record/,
      /^note snap/,
      /^note pages/,
      /^note clean/,
    ],
  ],
  [
    "a flipped bit in the first segment's header",
    (folder) => flip(segment(folder, 1), 20),
    [
      /^damaged log\/0{15}1\.log:0 segment header .*; nothing before it can be kept$/,
      /^note/,
      /^note/,
      /^note/,
      /^note/,
    ],
  ],
  [
    "a segment that is missing",
    (folder) => rmSync(segment(folder, 2)),
    [
      /^damaged log\/0{15}2\.log:0 the file is missing; transactions 1 to \d+ before it are good$/,
      /^note/,
      /^note/,
      /^note/,
    ],
  ],
  [
    "the newest segment that is missing",
    (folder) => rmSync(newestSegment(folder)),
    [
      /^damaged pages\.sum:null .*: the log ends before its state$/,
      /^damaged clean-close\.json:null closed at transaction 40, but the log ends at \d+/,
    ],
  ],
  [
    "a segment of another log",
    (folder) => {
      const bytes = readFileSync(segment(folder, 2));
      bytes.fill(7, 16, 32);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 76)), 76);
      writeFileSync(segment(folder, 2), bytes);
    },
    [
      /^damaged log\/0{15}2\.log:0 it belongs to log (07){16}, not [0-9a-f]{32};/,
      /^note snap/,
      /^note pages/,
      /^note clean/,
    ],
  ],
  [
    "a torn tail",
    (folder) => {
      const path = newestSegment(folder);
      truncateSync(path, statSync(path).size - 1000);
      rmSync(join(folder, "pages.sum"));
      rmSync(join(folder, "clean-close.json"));
    },
    [
      /^torn_tail log\/0{16}.*|^torn_tail log\/0+\d\.log:\d+ its last [\d,]+ bytes are of a record that was never finished$/,
      /^note pages\.sum:null there is no page table$/,
      /^note clean-close/,
    ],
  ],
  [
    "a snapshot whose image is too short",
    (folder) => truncateSync(join(folder, "snapshots/00000002.db"), 4096),
    [/^damaged snapshots\/00000002\.db:null generation 2 is not whole: the image has 4096 bytes, not \d+$/],
  ],
  [
    "a snapshot without its list of page checksums",
    (folder) => rmSync(join(folder, "snapshots/00000002.sums")),
    [
      /^damaged snapshots\/00000002\.db:null generation 2 is not whole: the list of page checksums is missing$/,
    ],
  ],
  [
    "a flipped bit in a snapshot's image",
    (folder) => flip(join(folder, "snapshots/00000002.db"), 5000),
    [
      /^damaged snapshots\/00000002\.db:4096 its pages have database checksum [0-9a-f]{16}, not [0-9a-f]{16}$/,
    ],
    true,
  ],
  [
    "a flipped bit in a snapshot's page checksums",
    (folder) => flip(join(folder, "snapshots/00000002.sums"), 17),
    [/^damaged snapshots\/00000002\.sums:16 the checksum of page 3 is not that of the image$/],
    true,
  ],
  [
    "a flipped bit in the page table's header",
    (folder) => flip(join(folder, "pages.sum"), 20),
    [/^damaged pages\.sum:0 its header is damaged, or of a later version$/],
  ],
  [
    "a flipped bit in an entry of the page table",
    (folder) => flip(join(folder, "pages.sum"), 4100),
    [/^note pages\.sum:null .*, mixed with later ones/],
  ],
  [
    "meta.json that is no JSON",
    (folder) => writeFileSync(join(folder, "meta.json"), "{"),
    [/^damaged meta\.json:null it is no JSON$/, /^note/, /^note/, /^note/, /^note/],
  ],
  [
    "meta.json that is a folder",
    (folder) => {
      rmSync(join(folder, "meta.json"));
      mkdirSync(join(folder, "meta.json"));
    },
    [
      /^damaged meta\.json:null it is no document/,
      /^note/,
      /^note/,
      /^note/,
      /^note/,
      /^damaged meta\.json:null it is no file/,
    ],
  ],
  [
    "clean-close.json that makes no sense",
    (folder) => writeFileSync(join(folder, "clean-close.json"), "[]"),
    [/^damaged clean-close\.json:null it makes no sense$/],
  ],
  [
    "replicas.json that makes no sense",
    (folder) => writeFileSync(join(folder, "replicas.json"), "\0\0\0"),
    [/^damaged replicas\.json:null it makes no sense: it is no JSON$/],
  ],
  [
    "files that do not belong there",
    (folder) => {
      writeFileSync(join(folder, "notes.txt"), "mine");
      writeFileSync(join(folder, "log", "0000000000000009.log.bak"), "");
      writeFileSync(join(folder, "meta.json.tmp"), "{");
      mkdirSync(join(folder, `log-set-aside-${"a".repeat(32)}`));
    },
    [
      /^note log-set-aside-a+:null a log that/,
      /^note meta\.json\.tmp:null left over/,
      /^note notes\.txt:null does not belong/,
      /^note log\/0+9\.log\.bak:null does not belong/,
    ],
  ],
];

const spoils = SPOILS.map(([what, spoil, expected, isDeep = false]) => ({ what, spoil, expected, isDeep }));
test.each(spoils)("$what: it is said with its place", ({ spoil, expected, isDeep }) => {
  const folder = copyOf(primaryFile);
  spoil(folder);
  const found = wrong(folder, isDeep);
  expect(found.length, found.join("\n")).toBe(expected.length);
  expected.forEach((pattern, index) => expect(found[index]).toMatch(pattern));
});

test("every byte of a sealed segment is covered: wherever one is flipped, it is said", () => {
  const folder = copyOf(primaryFile);
  const path = segment(folder, 2);
  const { size } = statSync(path);
  for (let offset = 0; offset < size; offset += 9973) {
    flip(path, offset);
    expect(wrong(folder)[0], `offset ${offset}`).toMatch(/^damaged log\/0{15}2\.log/);
    flip(path, offset);
  }
  expect(wrong(folder)).toEqual([]);
});

test.each([
  [
    "a flipped bit in its copy of the log",
    (folder: string) => flip(newestSegment(folder), statSync(newestSegment(folder)).size - 100),
    /^damaged log\/0{15}\d\.log:\d+ record/,
  ],
  [
    "both slots of its position",
    (folder: string) => writeFileSync(join(folder, "position"), Buffer.alloc(1024, 1)),
    /^damaged position:0 neither slot/,
  ],
  [
    "the page table",
    (folder: string) => flip(join(folder, "pages.sum"), 20),
    /^damaged pages\.sum:0 its header/,
  ],
  [
    "the beginning of its copy",
    (folder: string) => writeFileSync(join(folder, "log", "start.json"), "{}"),
    /^damaged log\/start\.json:null/,
  ],
])("a replica: %s is said with its place", (_, spoil, expected) => {
  const folder = copyOf(replicaFile);
  spoil(folder);
  expect(wrong(folder).filter((text) => text.startsWith("damaged"))).toEqual([
    expect.stringMatching(expected),
  ]);
});

test("what the commands print of damage", async () => {
  const folder = copyOf(primaryFile);
  flip(segment(folder, 2), 20_000);
  const transcript = new Transcript(
    "A bit has been flipped in the second of three segments.",
    namings(folder),
  );
  await transcript.run(commands, ["check", folder]);
  await transcript.run(commands, ["check", folder, "--json"]);
  transcript.expectGolden("check/a-flipped-bit");
});

test("what the commands print of what a loss of power has left", async () => {
  const place = new LeftBehind(primaryFile, primaryFile);
  place.wentDown();
  place.loseRecord(38);
  const transcript = new Transcript(
    "The machine went down; of the newest three records the first is not on the disk.",
    namings(place.dataDir),
  );
  const before = everything(place.dataDir);
  await transcript.run(commands, ["check", place.dataDir]);
  await transcript.run(commands, ["repair", place.dataDir]);
  expect(everything(place.dataDir)).toBe(before);
  transcript.expectGolden("check/a-loss-of-power");
});

test("of a replica's folder that no start takes, repair does not say that the replica mends itself", async () => {
  const folder = copyOf(replicaFile);
  rmSync(join(folder, "position"));
  const { code, stdout } = await new Transcript("").run(commands, ["repair", folder]);
  expect([code, stdout]).toEqual([3, expect.stringContaining("nothing that repair can mend")]);
});

test("wrong input is refused by name", async () => {
  const folder = copyOf(primaryFile);
  const empty = join(folder, "../empty");
  mkdirSync(empty);
  writeFileSync(join(empty, "../notes.txt"), "mine");
  symlinkSync("nowhere", join(empty, "../dangling"));
  const later = join(empty, "../later-tailrace");
  cpSync(folder, later, { recursive: true });
  writeFileSync(
    join(later, "meta.json"),
    readFileSync(join(later, "meta.json"), "utf8").replace('"formatVersion": 1', '"formatVersion": 9'),
  );
  const laterLog = join(empty, "../later-log-tailrace");
  cpSync(folder, laterLog, { recursive: true });
  const bytes = readFileSync(segment(laterLog, 2));
  bytes.writeUInt32LE(2, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 76)), 76);
  writeFileSync(segment(laterLog, 2), bytes);
  const place = join(empty, "..");
  const running = mkdtempSync(join(tmpdir(), "tailrace-check-"));
  onTestFinished(() => rmSync(running, { recursive: true, force: true }));
  const primary = await openPrimary({ file: join(running, "running.db") });
  onTestFinished(() => primary.close());

  const transcript = new Transcript("What is no data folder, or not one that can be examined, is refused.", [
    [place, "PLACE"],
    [running, "RUNNING"],
  ]);
  const before = everything(place);
  for (const command of ["check", "repair"])
    for (const name of [
      "nowhere",
      "empty",
      "notes.txt",
      "dangling",
      "later-tailrace",
      "later-log-tailrace",
      "running.db",
    ])
      await transcript.run(commands, [command, join(name === "running.db" ? running : place, name)]);
  expect(everything(place)).toBe(before);
  transcript.expectGolden("check/refused");
});

test("while a node is checked offline, none can start on it; two may look at once", async () => {
  const folder = copyOf(primaryFile);
  const { holdForReading } = await import("../shared/examination/offline-folder.ts");
  const { driver } = await import("../shared/sqlite/node-sqlite.ts");
  const { DataFolder } = await import("../shared/storage/data-folder.ts");
  const before = everything(folder);
  const first = holdForReading(folder, driver);
  const second = holdForReading(folder, driver);
  expect(() => DataFolder.open(folder, driver)).toThrow(
    expect.objectContaining({ code: "data_folder_in_use" }),
  );
  first();
  second();
  expect(everything(folder)).toBe(before);
  DataFolder.open(folder, driver).close();
});
