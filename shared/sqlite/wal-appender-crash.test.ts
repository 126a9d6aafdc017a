import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SourceDatabase } from "../../test/harness/source-database.ts";
import { CREATE_SPREAD, STEP_SPREAD, Watcher } from "../../test/harness/watcher.ts";
import { driver } from "./node-sqlite.ts";

const PROGRAM = fileURLToPath(new URL("../../test/programs/append-commits.ts", import.meta.url));
const COMMITS = 6;

let folder: string;
let source: SourceDatabase;
let target: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tailrace-append-"));
  source = new SourceDatabase(driver, join(folder, "source.db"));
  target = join(folder, "target.db");
  source.exec(CREATE_SPREAD);
  source.copyTo(target);
});
afterEach(() => {
  source.close();
  rmSync(folder, { recursive: true });
});

function append(failpoint: string): { readonly signal: string | null } {
  return spawnSync(process.execPath, [PROGRAM, source.file, target], {
    env: { ...process.env, TAILRACE_FAILPOINT: failpoint },
    stdio: ["ignore", "ignore", "inherit"],
  });
}

function shell(sql: string): string {
  return execFileSync("sqlite3", [target, sql], { encoding: "utf8" }).trim();
}

function expectSameFile(): void {
  expect(shell("PRAGMA integrity_check")).toBe("ok");
  source.settle();
  shell("PRAGMA wal_checkpoint(TRUNCATE)");
  expect(spawnSync("cmp", [source.file, target], { encoding: "utf8" })).toMatchObject({
    status: 0,
    stdout: "",
  });
}

/** Where the table stands; -1 when its rows are not all at one n. */
function state(): number {
  return Number(shell("SELECT iif(min(n) = max(n), n, -1) FROM spread"));
}

/*
 * The third commit is interrupted. What the crash leaves depends on whether another connection is open: with one, the
 * wal-index counts as it stands; with none, the next that comes rebuilds it from the -wal.
 */
const CRASHES: readonly { point: string; leaves: number; leavesUnderReader: number }[] = [
  { point: "append.wal-header:1", leaves: 0, leavesUnderReader: 0 },
  { point: "append.frames-written:3", leaves: 3, leavesUnderReader: 2 },
  { point: "append.synced:3", leaves: 3, leavesUnderReader: 2 },
  { point: "append.index-written:3", leaves: 3, leavesUnderReader: 2 },
  { point: "append.published:3", leaves: 3, leavesUnderReader: 3 },
];

test.each(CRASHES)(
  "killed at $point with nobody else there, it leaves whole commits",
  ({ point, leaves }) => {
    for (let n = 0; n < COMMITS; n++) source.exec(STEP_SPREAD);
    expect(append(point).signal).toBe("SIGKILL");
    expect(state()).toBe(leaves);
    expect(append("").signal).toBe(null);
    expect(state()).toBe(COMMITS);
    expectSameFile();
  },
);

test.each(CRASHES)(
  "killed at $point under a reader, it leaves whole commits, and the reader notices nothing",
  async ({ point, leavesUnderReader }) => {
    for (let n = 0; n < COMMITS; n++) source.exec(STEP_SPREAD);
    const watcher = await Watcher.start(target);
    expect(append(point).signal).toBe("SIGKILL");
    expect(state()).toBe(leavesUnderReader);
    expect(append("").signal).toBe(null);
    expect(state()).toBe(COMMITS);
    expect(await watcher.stop()).toMatchObject({ problem: null, last: COMMITS });
    expectSameFile();
  },
);

test("killed at any moment, again and again, it goes on from a whole commit, and no reader ever steps back", async () => {
  for (let n = 0; n < 300; n++) source.exec(STEP_SPREAD);
  const watchers = [await Watcher.start(target), await Watcher.start(target)];
  for (let round = 1; round <= 5; round++) {
    const child = spawn(process.execPath, [PROGRAM, source.file, target], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const closed = once(child, "close");
    for await (const line of createInterface(child.stdout))
      if (Number(line) >= round * 45) child.kill("SIGKILL");
    await closed;
    expect(state()).toBeGreaterThanOrEqual(round * 45);
    expect(state()).toBeLessThanOrEqual(300);
  }
  expect(append("").signal).toBe(null);
  for (const watcher of watchers) expect(await watcher.stop()).toMatchObject({ problem: null, last: 300 });
  expectSameFile();
});
