import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { examine } from "../shared/examination/examine.ts";
import { commands } from "../src/commands.ts";
import { listSegments } from "../shared/log/segment-files.ts";
import { openPrimary } from "../src/primary.ts";
import type { Primary } from "../src/primary.ts";
import { openReplica } from "../src/replica.ts";
import type { Replica } from "../src/replica.ts";
import { REPAIR } from "./harness/failpoints.ts";
import { temporaryFolder } from "./harness/folder.ts";
import { Transcript } from "./harness/golden.ts";
import type { Naming, Outcome } from "./harness/golden.ts";
import { assertSameBytes, shell } from "./harness/shell.ts";
import {
  INSERTS,
  SEGMENT_SIZE_BYTES,
  StoppedNodes,
  everything,
  flip,
  newestSegment,
  segment,
} from "./harness/stopped-nodes.ts";

/* `tailrace repair`: what goes is said before and kept after, and the log goes on under its own id. */

const cli = join(import.meta.dirname, "../src/cli.ts");
const nodes = new StoppedNodes();
beforeAll(() => nodes.make());
afterAll(() => nodes.remove());

const copy = (): string => nodes.copyOf(nodes.primaryFile);

const namings = (folder: string): readonly Naming[] => [
  [folder, "DIR"],
  [/\b[0-9a-f]{32}\b/g, "LOGID"],
  [/\b\d replicas?\b/g, "N replicas"],
  [/database checksum [0-9a-f]{16}/g, "database checksum CHECKSUM"],
  [/committed (from .*? UTC to .*? UTC|at .*? UTC)/g, "committed WHEN"],
  [/"(keptTimeMs|firstTimeMs|lastTimeMs)":\d+/g, '"$1":TIME'],
];

/** One command within this process, without a terminal. */
async function run(...words: readonly string[]): Promise<Outcome> {
  return await new Transcript("").run(commands, words);
}

function damageIn(folder: string): number {
  const { findings } = examine({ folder, isDeep: true, onProgress: () => {} });
  return findings.filter(({ severity }) => severity === "damaged").length;
}

function logIdOf(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "meta.json"), "utf8")) as { logId: string }).logId;
}

/** A primary in its own folder, and replicas of it by name. */
async function cluster(): Promise<{
  readonly file: string;
  readonly folder: string;
  readonly start: () => Promise<Primary>;
  readonly replica: (
    name: string,
  ) => Promise<{ readonly replica: Replica; readonly file: string; readonly messages: string[] }>;
}> {
  const place = temporaryFolder();
  const file = join(place, "app.db");
  let port = 0;
  return {
    file,
    folder: `${file}-tailrace`,
    async start() {
      const primary = await openPrimary({ file, listen: { port }, segmentSizeBytes: SEGMENT_SIZE_BYTES });
      onTestFinished(() => primary.close());
      port = Number(new URL(primary.address!).port);
      return primary;
    },
    async replica(name) {
      const edge = join(place, `${name}.db`);
      const replica = await openReplica({ primary: `http://127.0.0.1:${port}`, file: edge });
      onTestFinished(() => replica.close());
      const messages: string[] = [];
      replica.on("message", (text) => messages.push(text));
      return { replica, file: edge, messages };
    },
  };
}

describe("the log of a primary is damaged in its middle, and repaired", () => {
  test("it starts with its log, replicas behind the cut go on, and those beyond it resync; all end identical", async () => {
    const { file, folder, start, replica } = await cluster();
    shell(file, "PRAGMA journal_mode=WAL; CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
    let primary = await start();
    const behind = await replica("behind");
    shell(file, INSERTS);
    await primary.durable();
    await behind.replica.sync();
    await behind.replica.close();
    const beyond = await replica("beyond");
    shell(file, INSERTS);
    await primary.durable();
    await beyond.replica.sync();
    await beyond.replica.close();
    await primary.close();
    const logId = logIdOf(folder);
    flip(segment(folder, 5), 30_000);

    const { code, stdout } = await run("repair", folder, "--yes");
    expect(code, stdout).toBe(0);
    const kept = Number(/kept: everything up to transaction (\d+)/.exec(stdout)?.[1]);
    expect(kept).toBeGreaterThan(20);
    expect(kept).toBeLessThan(39);
    expect(damageIn(folder)).toBe(0);

    const messages: string[] = [];
    primary = await start();
    primary.on("message", (text) => messages.push(text));
    expect(logIdOf(folder)).toBe(logId);
    // All that was cut, and nothing else, is one transaction.
    expect((await primary.durable()).txid).toBe(kept + 1);
    expect(messages.join()).toContain(`logged as transaction ${kept + 1}`);

    const goesOn = await replica("behind");
    await goesOn.replica.sync();
    expect(goesOn.messages.join()).not.toMatch(/resync|snapshot|compar/);
    const resyncs = await replica("beyond");
    shell(file, INSERTS);
    await primary.durable();
    for (const each of [goesOn, resyncs]) await each.replica.sync();
    expect(resyncs.messages.join()).toMatch(/resync/);
    for (const each of [goesOn, resyncs]) await each.replica.close();
    await primary.close();
    for (const each of [goesOn, resyncs]) assertSameBytes(file, each.file);
    expect(damageIn(folder)).toBe(0);
  });

  test("a replica at the very transaction that is logged anew, with another content, finds that out", async () => {
    const { file, folder, start, replica } = await cluster();
    // Every transaction is one page: what is logged anew is as long as what was cut.
    const set = (value: number): void => void shell(file, `UPDATE t SET b = ${value}`);
    shell(
      file,
      "PRAGMA journal_mode=WAL; CREATE TABLE t (a INTEGER PRIMARY KEY, b); INSERT INTO t(b) VALUES (0)",
    );
    let primary = await start();
    const edge = await replica("edge");
    for (let value = 1; value <= 3; value++) set(value);
    await primary.durable();
    await edge.replica.sync();
    await edge.replica.close();
    await primary.close();
    const { size } = statSync(newestSegment(folder));
    flip(newestSegment(folder), size - 100);
    // While nobody looks, the application goes on. The last record counts as torn, and is cut at the start.
    set(77);
    primary = await start();
    expect((await primary.durable()).txid).toBe(3);
    expect(statSync(newestSegment(folder)).size).toBe(size);
    const again = await replica("edge");
    await again.replica.sync();
    expect(shell(again.file, "SELECT b FROM t")).toBe("77");
    await again.replica.close();
    await primary.close();
    assertSameBytes(file, again.file);
  });
});

test("what the command says, asks, does and keeps", async () => {
  const folder = copy();
  flip(segment(folder, 2), 20_000);
  const cutSize = 12_480;
  const tail = readFileSync(segment(folder, 2)).subarray(cutSize);
  const third = readFileSync(segment(folder, 3));
  const transcript = new Transcript(
    "A bit has been flipped in the second of seven segments.",
    namings(folder),
  );
  const before = everything(folder);
  await transcript.run(commands, ["repair", folder]);
  expect(everything(folder), "nobody could be asked").toBe(before);
  await transcript.run(commands, ["repair", folder, "--yes"]);
  await transcript.run(commands, ["check", folder]);
  await transcript.run(commands, ["repair", folder, "--yes"]);
  transcript.expectGolden("repair/a-flipped-bit");

  const kept = join(folder, "log-cut-0001");
  expect(statSync(segment(folder, 2)).size).toBe(cutSize);
  expect(existsSync(segment(folder, 3))).toBe(false);
  expect(readFileSync(join(kept, `${basename(segment(folder, 2))}.from-${cutSize}`)).equals(tail)).toBe(true);
  expect(readFileSync(join(kept, basename(segment(folder, 3)))).equals(third)).toBe(true);
  expect(readdirSync(kept).filter((name) => name.startsWith("00000002."))).toHaveLength(3);
});

test("--json is one document, also of what would be done", async () => {
  const folder = copy();
  rmSync(segment(folder, 6));
  writeFileSync(join(folder, "clean-close.json"), "{");
  const transcript = new Transcript(
    "The sixth of seven segments is missing, and a document makes no sense.",
    namings(folder),
  );
  const { code, stdout } = await transcript.run(commands, ["repair", folder, "--json"]);
  expect([code, stdout]).toEqual([2, ""]);
  await transcript.run(commands, ["repair", folder, "--yes", "--json"]);
  transcript.expectGolden("repair/json");
  expect(damageIn(folder)).toBe(0);
});

test("what a deep look finds is moved aside too, and what is made anew", async () => {
  const folder = copy();
  flip(join(folder, "snapshots/00000002.db"), 5000);
  flip(join(folder, "pages.sum"), 20);
  writeFileSync(join(folder, "replicas.json"), "");
  const { code, stdout } = await run("repair", folder, "--yes", "--deep");
  expect([code, stdout]).toEqual([0, expect.stringContaining("snapshot 2 is damaged")]);
  // Only by its being there does the next start know that there may be replicas: that one sets it aside.
  expect(readdirSync(folder)).toContain("replicas.json");
  expect(damageIn(folder)).toBe(1);
  expect(readdirSync(join(folder, "log-cut-0001")).toSorted()).toEqual([
    "00000002.db",
    "00000002.json",
    "00000002.sums",
    "pages.sum",
    "repair.json",
  ]);
});

test("where the log could not go on all the same, nothing is cut, and it is said why", async () => {
  const folder = copy();
  flip(segment(folder, 2), 20_000);
  for (const name of readdirSync(join(folder, "snapshots"))) rmSync(join(folder, "snapshots", name));
  const before = everything(folder);
  const transcript = new Transcript(
    "Nothing is left of the state before the damage but the log itself.",
    namings(folder),
  );
  await transcript.run(commands, ["repair", folder, "--yes"]);
  expect(everything(folder)).toBe(before);
  transcript.expectGolden("repair/not-cut");
});

test("a replica's data folder is left to the replica", async () => {
  const folder = nodes.copyOf(nodes.replicaFile);
  flip(newestSegment(folder), statSync(newestSegment(folder)).size - 100);
  const before = everything(folder);
  const { code, stdout } = await run("repair", folder, "--yes");
  expect([code, stdout]).toEqual([0, expect.stringContaining("a replica mends itself")]);
  expect(everything(folder)).toBe(before);
});

/** Answers the question on a terminal of its own. @returns what was shown, and the exit code at its end */
function answer(folder: string, text: string): string {
  const program = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
seen, asked = b"", False
while True:
    try: more = os.read(fd, 65536)
    except OSError: break
    if not more: break
    seen += more
    if not asked and b"yes or no: " in seen:
        asked = True
        os.write(fd, ${JSON.stringify(text)}.encode())
sys.stdout.buffer.write(seen)
print("exit", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
  return execFileSync("python3", ["-c", program, process.execPath, cli, "repair", folder], {
    encoding: "utf8",
  });
}

test("on a terminal it asks, and does nothing without a yes", () => {
  const folder = copy();
  flip(segment(folder, 2), 20_000);
  const before = everything(folder);
  expect(answer(folder, "y\n")).toMatch(/Do this\? yes or no: [^]*nothing was changed\s+exit 3/);
  // The end of input.
  expect(answer(folder, "\u0004")).toMatch(/nothing was changed\s+exit 3/);
  expect(everything(folder)).toBe(before);
  expect(answer(folder, "yes\n")).toMatch(/done; what was taken away is in .*log-cut-0001\s+exit 0/);
  expect(damageIn(folder)).toBe(0);
});

test.each(
  REPAIR.flatMap((point) =>
    point === "repair.moved" ? [`${point}:1`, `${point}:3`, `${point}:4`, `${point}:9`] : [point],
  ),
)("killed at %s, it is as before or repaired, and can be done again", async (point) => {
  const folder = copy();
  flip(segment(folder, 2), 20_000);
  const child = spawnSync(process.execPath, [cli, "repair", folder, "--yes"], {
    env: { ...process.env, TAILRACE_FAILPOINT: point },
  });
  expect(child.signal, String(child.stderr)).toBe("SIGKILL");
  const { log } = examine({ folder, isDeep: false, onProgress: () => {} });
  expect(log!.head!.txid).toBe(7);
  const { code, stdout } = await run("repair", folder, "--yes");
  expect(code, stdout).toBe(0);
  expect(damageIn(folder)).toBe(0);
  expect(readdirSync(join(folder, "log"))).toHaveLength(2);
  // All that was taken away is in one place.
  expect(readdirSync(folder).filter((name) => name.startsWith("log-cut-"))).toEqual(["log-cut-0001"]);
  expect(readdirSync(join(folder, "log-cut-0001")).filter((name) => !name.endsWith(".tmp"))).toHaveLength(
    3 + 2 + 5 + 2,
  );
});

/** The last of all: it goes on with the very nodes that the others have copied. */
test("the newest segments are lost altogether: snapshots past the end go, and nobody begins at one", async () => {
  const { primaryFile: file } = nodes;
  const folder = `${file}-tailrace`;
  const logId = logIdOf(folder);
  expect(existsSync(join(folder, "snapshots/00000002.json"))).toBe(true);
  for (const number of listSegments(join(folder, "log")).filter((each) => each > 1))
    rmSync(segment(folder, number));
  expect(damageIn(folder)).toBeGreaterThan(0);

  await using opened = new AsyncDisposableStack();
  const primary = await openPrimary({ file, listen: { port: 0 }, segmentSizeBytes: SEGMENT_SIZE_BYTES });
  opened.defer(() => primary.close());
  expect(logIdOf(folder)).toBe(logId);
  expect(existsSync(join(folder, "snapshots/00000002.json"))).toBe(false);
  const newcomer = join(temporaryFolder(), "newcomer.db");
  const replica = await openReplica({ primary: primary.address!, file: newcomer });
  opened.defer(() => replica.close());
  shell(file, INSERTS);
  await primary.durable();
  await replica.sync();
  await opened.disposeAsync();
  assertSameBytes(file, newcomer);
  expect(damageIn(folder)).toBe(0);
});
