import {
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { asTailraceError } from "../shared/errors.ts";
import { examine } from "../shared/examination/examine.ts";
import type { Examination } from "../shared/examination/examine.ts";
import { holdForReading } from "../shared/examination/offline-folder.ts";
import { isNothing, planRepair } from "../shared/examination/repair-plan.ts";
import type { StatePoint } from "../shared/format/position.ts";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { DataFolder } from "../shared/storage/data-folder.ts";
import { isWell } from "../src/commands/check.ts";
import { BOOT, LeftBehind, NEXT_BOOT } from "./harness/left-behind.ts";
import { startPrimaryHere, startReplicaHere } from "./harness/start-here.ts";
import type { Start } from "./harness/start-here.ts";
import { StoppedNodes, flip } from "./harness/stopped-nodes.ts";

/*
 * `tailrace check` says what the next start does. Each state of a data folder here is examined, and then a node is started
 * on it. What a crash or a loss of power leaves is well, and nothing that is well needs a repair.
 */

const nodes = new StoppedNodes();
beforeAll(() => nodes.make());
afterAll(() => nodes.remove());

function examined(folder: string): Examination | string {
  using held = new DisposableStack();
  try {
    held.defer(holdForReading(folder, driver));
    return examine({ folder, isDeep: false, bootId: NEXT_BOOT, onProgress: () => {} });
  } catch (error) {
    return asTailraceError(error).code;
  }
}

function writeInto(file: string): void {
  const writer = new DatabaseSync(file);
  writer.exec("INSERT INTO t(b) VALUES (zeroblob(3000))");
  writer.close();
}

function folderForTable(place: LeftBehind): void {
  place.remove("pages.sum");
  mkdirSync(place.at("pages.sum"));
}

/** Of the log that both nodes have. */
const BEGINNING: StatePoint = { txid: 0, cursor: { segment: 1, offset: 80 }, checksum: 0n, pageCount: 2 };

/** What check ends with, and what comes of the start. `refused`: neither takes the folder. */
type Verdict = "well" | "damaged" | "refused";
type State = readonly [
  what: string,
  spoil: (place: LeftBehind) => void,
  verdict: Verdict,
  outcome: Start["outcome"] | "begins a new log",
];

function isRefusal({ outcome }: Start): boolean {
  return !["goes on", "resync", "bootstrap"].includes(outcome);
}

function readable(verdict: Examination | string): string {
  if (typeof verdict === "string") return verdict;
  return verdict.findings.map(({ severity, file, text }) => `${severity} ${file} ${text}`).join("\n");
}

describe("a primary", () => {
  const STATES: readonly State[] = [
    ["closed in order", () => {}, "well", "goes on"],
    ["killed", (place) => place.killed(), "well", "goes on"],
    [
      "killed while it wrote a record",
      (place) => {
        place.killed();
        truncateSync(place.newest, statSync(place.newest).size - 1000);
      },
      "well",
      "goes on",
    ],
    [
      "power lost while several records were on their way, the last of them",
      (place) => {
        place.wentDown();
        place.loseRecord(40);
      },
      "well",
      "goes on",
    ],
    [
      "power lost while several records were on their way, one before others",
      (place) => {
        place.wentDown();
        place.loseRecord(38);
      },
      "well",
      "goes on",
    ],
    [
      "the same after an orderly close at an earlier transaction",
      (place) => {
        const closed = place.read("clean-close.json");
        place.wentDown();
        place.loseRecord(38);
        writeFileSync(place.at("clean-close.json"), JSON.stringify({ ...closed, txid: 37 }));
      },
      "well",
      "goes on",
    ],
    [
      "the same after an orderly close at a later one: it was on the disk",
      (place) => {
        place.loseRecord(38);
        place.edit("meta.json", { bootId: BOOT });
      },
      "damaged",
      "begins a new log",
    ],
    [
      "the same without a loss of power",
      (place) => {
        place.killed();
        place.loseRecord(38);
      },
      "damaged",
      "begins a new log",
    ],
    [
      "the same in a sealed segment",
      (place) => {
        place.wentDown();
        place.loseRecord(12);
      },
      "damaged",
      "begins a new log",
    ],
    [
      "the same before a gap",
      (place) => {
        place.wentDown();
        place.loseRecord(12);
        rmSync(place.segment(3));
      },
      "damaged",
      "begins a new log",
    ],
    ["a segment missing", (place) => rmSync(place.segment(3)), "damaged", "begins a new log"],
    ["the newest segment missing", (place) => rmSync(place.newest), "damaged", "goes on"],
    [
      "stopped by a kill between the removals of old segments",
      (place) => [1, 2].forEach((number) => rmSync(place.segment(number))),
      "well",
      "goes on",
    ],
    [
      "a segment in the making",
      (place) => writeFileSync(`${place.segment(8)}.tmp`, "half a hea"),
      "well",
      "goes on",
    ],
    ["no log", (place) => place.remove("log"), "damaged", "begins a new log"],
    [
      "a segment of a later format",
      (place) => place.editHeader(2, (header) => header.writeUInt32LE(2, 8)),
      "refused",
      "unknown_version",
    ],
    [
      "a snapshot half taken",
      (place) => {
        writeFileSync(place.at("snapshots/00000003.db"), "");
        writeFileSync(place.at("snapshots/00000004.db.tmp"), "");
      },
      "well",
      "goes on",
    ],
    ["a snapshot half removed", (place) => place.remove("snapshots/00000001.json"), "well", "goes on"],
    [
      "a snapshot cut short",
      (place) => truncateSync(place.at("snapshots/00000002.db"), 4096),
      "damaged",
      "goes on",
    ],
    [
      "a snapshot past the end",
      (place) => {
        place.killed();
        place.edit("snapshots/00000002.json", { cursor: { segment: 9, offset: 80 } });
      },
      "damaged",
      "goes on",
    ],
    [
      "a snapshot of a later format",
      (place) => place.edit("snapshots/00000002.json", { formatVersion: 2 }),
      "refused",
      "unknown_version",
    ],
    ["no page table", (place) => place.remove("pages.sum"), "well", "goes on"],
    [
      "a page table that was never begun",
      (place) => truncateSync(place.at("pages.sum"), 0),
      "well",
      "goes on",
    ],
    [
      "a page table without its header yet",
      (place) => writeFileSync(place.at("pages.sum"), readFileSync(place.at("pages.sum")).fill(0, 0, 4096)),
      "well",
      "goes on",
    ],
    ["a page table with later entries", (place) => flip(place.at("pages.sum"), 4100), "well", "goes on"],
    ["a page table's header damaged", (place) => flip(place.at("pages.sum"), 20), "damaged", "goes on"],
    [
      "a page table of a state that the log does not have",
      (place) => {
        place.killed();
        cpSync(join(`${nodes.primaryFile}-tailrace`, "pages.sum"), place.at("pages.sum"));
        rmSync(place.newest);
      },
      "damaged",
      "goes on",
    ],
    [
      "clean-close.json that makes no sense",
      (place) => writeFileSync(place.at("clean-close.json"), "{"),
      "damaged",
      "goes on",
    ],
    [
      "replicas.json that makes no sense",
      (place) => writeFileSync(place.at("replicas.json"), "{"),
      "damaged",
      "goes on",
    ],
    [
      "replicas.json of a later format",
      (place) => place.edit("replicas.json", { formatVersion: 2 }),
      "refused",
      "unknown_version",
    ],
    ["a folder for a page table", folderForTable, "damaged", "storage_failed"],
    ["no meta.json", (place) => place.remove("meta.json"), "damaged", "begins a new log"],
    [
      "meta.json that makes no sense",
      (place) => writeFileSync(place.at("meta.json"), "{"),
      "damaged",
      "damaged",
    ],
    [
      "meta.json of a later format",
      (place) => place.edit("meta.json", { formatVersion: 2 }),
      "refused",
      "unknown_version",
    ],
    [
      "a first start that was killed when the log had just begun",
      (place) => {
        place.remove("meta.json", "clean-close.json", "replicas.json", "snapshots");
        place.remove(...[2, 3, 4, 5, 6, 7].map((number) => `log/000000000000000${number}.log`));
        truncateSync(place.segment(1), 80);
      },
      "well",
      "begins a new log",
    ],
    [
      "killed when a log had been set aside for a new one",
      (place) => {
        const { logId } = place;
        renameSync(place.at("log"), place.at(`log-set-aside-${logId}`));
        place.remove("pages.sum");
      },
      "well",
      "begins a new log",
    ],
    [
      "the same when the new one had just begun",
      (place) => {
        const { logId } = place;
        renameSync(place.at("log"), place.at(`log-set-aside-${logId}`));
        mkdirSync(place.at("log"));
        cpSync(join(place.at(`log-set-aside-${logId}`), "0000000000000001.log"), place.segment(1));
        truncateSync(place.segment(1), 80);
        place.editHeader(1, (header) => header.fill(7, 16, 32));
      },
      "well",
      "begins a new log",
    ],
    [
      "a WAL beside the database that has more than the log",
      (place) => {
        // Another one that is open, so that the WAL stays when its writer goes.
        const other = new DatabaseSync(place.file);
        other.exec("SELECT count(*) FROM t");
        onTestFinished(() => other.close());
        writeInto(place.file);
      },
      "well",
      "goes on",
    ],
    [
      "the database replaced by a copy of it",
      (place) => place.edit("meta.json", { databaseFile: "1:1" }),
      "well",
      "goes on",
    ],
    [
      "the database replaced by another",
      (place) => {
        place.edit("meta.json", { databaseFile: "1:1" });
        writeInto(place.file);
      },
      "well",
      "begins a new log",
    ],
    ["a lock that is no lock", (place) => writeFileSync(place.at("lock.db"), "x"), "refused", "damaged"],
    [
      "a node running on it",
      ({ dataDir }) => {
        const held = DataFolder.open(dataDir, driver);
        onTestFinished(() => held.close());
      },
      "refused",
      "data_folder_in_use",
    ],
  ];

  test.each(STATES)("%s", async (_what, spoil, verdict, expected) => {
    const place = new LeftBehind(nodes.primaryFile, nodes.primaryFile);
    const { logId } = place;
    spoil(place);

    const before = examined(place.dataDir);
    const start = await startPrimaryHere(place.file, place.dataDir, NEXT_BOOT);

    const said = `${readable(before)}\n${start.messages.join("\n")}`;
    const outcome = start.outcome === "goes on" && start.logId !== logId ? "begins a new log" : start.outcome;
    expect(outcome, said).toBe(expected);
    if (typeof before === "string") {
      expect([verdict, before]).toEqual(["refused", start.outcome]);
      return;
    }
    expect(isWell(before) ? "well" : "damaged", said).toBe(verdict);
    expect(before.isRefused, said).toBe(isRefusal(start));
    if (verdict === "well") expect(isNothing(planRepair(before)), "nothing to repair").toBe(true);
    if (start.outcome !== "goes on") return;
    const keeps = before.log !== null && before.log.damage === null;
    const isReplaced = before.findings.some(({ text }) => text.includes("is another file now"));
    if (!isReplaced) expect(outcome).toBe(keeps ? "goes on" : "begins a new log");
    if (outcome !== "goes on") return;
    const cut = start.messages.flatMap((text) => /^cut (\d+) bytes/.exec(text)?.[1] ?? []);
    expect(cut.map(Number)).toEqual([before.log?.tornBytes ?? 0].filter((bytes) => bytes > 0));
    const after = examined(place.dataDir) as Examination;
    const [now, then] = [after, before].map(({ generations }) =>
      generations.filter(({ info, verdict: claim }) => info !== undefined && claim !== "beyond"),
    );
    expect(now!.map(({ generation }) => generation)).toEqual(then!.map(({ generation }) => generation));
    expect(
      after.findings.filter(
        ({ severity, file }) => severity === "damaged" && !/^(replicas|clean)/.test(file),
      ),
    ).toEqual([]);
  });
});

describe("a replica", () => {
  const STATES: readonly State[] = [
    ["closed in order", () => {}, "well", "goes on"],
    [
      "killed while it received",
      (place) => {
        place.receive(20, 21);
        place.position({ bootId: NEXT_BOOT });
        truncateSync(place.newest, statSync(place.newest).size - 1000);
      },
      "well",
      "goes on",
    ],
    [
      "power lost with records received and not on the disk",
      (place) => {
        place.receive(20, 23);
        place.position({ isStamped: false });
        place.loseRecord(22);
      },
      "well",
      "goes on",
    ],
    [
      "the same without a loss of power",
      (place) => {
        place.receive(20, 23);
        place.position({ bootId: NEXT_BOOT });
        place.loseRecord(22);
      },
      "damaged",
      "goes on",
    ],
    [
      "power lost with a segment received and not on the disk, and the next one there",
      (place) => {
        place.position({ isStamped: false, floor: BEGINNING });
        rmSync(place.segment(2));
      },
      "well",
      "resync",
    ],
    [
      "records lost after an orderly close, after which all was on the disk",
      (place) => {
        place.position({ isClean: true, floor: BEGINNING });
        place.loseRecord(15);
      },
      "damaged",
      "goes on",
    ],
    ["a bit flipped in what is applied", (place) => flip(place.newest, 500), "damaged", "goes on"],
    [
      "killed between the removals of old segments",
      (place) => writeFileSync(place.at("log/start.json"), '{"formatVersion":1,"segment":2,"offset":0}'),
      "well",
      "goes on",
    ],
    ["no copy of the log", (place) => place.remove("log"), "well", "goes on"],
    ["a copy without its beginning", (place) => place.remove("log/start.json"), "well", "goes on"],
    ["a segment missing in its copy", (place) => rmSync(place.segment(2)), "damaged", "resync"],
    [
      "the beginning of its copy damaged",
      (place) => writeFileSync(place.at("log/start.json"), "{}"),
      "damaged",
      "resync",
    ],
    [
      "a page table without its header yet",
      (place) => writeFileSync(place.at("pages.sum"), Buffer.alloc(8192)),
      "well",
      "goes on",
    ],
    ["a page table's header damaged", (place) => flip(place.at("pages.sum"), 20), "damaged", "goes on"],
    [
      "both slots of its position damaged",
      (place) => writeFileSync(place.at("position"), Buffer.alloc(1024, 1)),
      "damaged",
      "resync",
    ],
    ["its position lost", (place) => place.remove("position"), "damaged", "unrelated_database"],
    [
      "its position set aside before the resync was done",
      (place) => renameSync(place.at("position"), place.at("position.damaged")),
      "well",
      "resync",
    ],
    [
      "killed within a resync from another log",
      (place) => place.position({ phase: "resyncing", logId: "7".repeat(32) }),
      "well",
      "resync",
    ],
    [
      "killed when it had just landed in another log",
      (place) => place.edit("meta.json", { logId: "7".repeat(32) }),
      "well",
      "goes on",
    ],
    [
      "killed within its bootstrap",
      (place) => {
        rmSync(place.file);
        place.remove("log", "pages.sum", "snapshots");
        writeFileSync(place.at("position"), "");
        writeFileSync(place.at("bootstrap.part"), "");
        writeFileSync(place.at("bootstrap.json"), "{}");
      },
      "well",
      "bootstrap",
    ],
    ["a folder for a page table", folderForTable, "damaged", "storage_failed"],
    ["no meta.json", (place) => place.remove("meta.json"), "damaged", "goes on"],
    [
      "meta.json of a later format",
      (place) => place.edit("meta.json", { formatVersion: 2 }),
      "refused",
      "unknown_version",
    ],
  ];

  test.each(STATES)("%s", async (_what, spoil, verdict, expected) => {
    const place = new LeftBehind(nodes.replicaFile, nodes.primaryFile);
    spoil(place);
    const before = examined(place.dataDir);
    const start = await startReplicaHere(place.file, place.dataDir, NEXT_BOOT);

    const said = `${readable(before)}\n${start.messages.join("\n")}`;
    expect(start.outcome, said).toBe(expected);
    if (typeof before === "string") {
      expect([verdict, before]).toEqual(["refused", start.outcome]);
      return;
    }
    expect(isWell(before) ? "well" : "damaged", said).toBe(verdict);
    expect(before.isRefused, said).toBe(isRefusal(start));
    expect(isNothing(planRepair(before)), "nothing to repair").toBe(true);
    if (start.outcome === "goes on" && verdict === "well" && before.log !== null)
      expect(start.end).toEqual(before.log.end);
  });
});
