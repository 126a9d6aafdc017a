import { execFileSync } from "node:child_process";
import { fdatasyncSync, fstatSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { SourceDatabase } from "../../test/harness/source-database.ts";
import { FRAME_HEADER_BYTES } from "../format/wal.ts";
import { HEADER_COPY_BYTES } from "../format/wal-index.ts";
import { writeAt } from "../storage/positioned-io.ts";
import { driver } from "./node-sqlite.ts";
import { WalAppender } from "./wal-appender.ts";

vi.mock(import("node:fs"), { spy: true });
vi.mock(import("../storage/positioned-io.ts"), { spy: true });

const PAGE_BYTES = 4096;

/** What was written and synced since the last call, in order. */
function steps(file: string): string[] {
  const writes = vi.mocked(writeAt).mock;
  const syncs = vi.mocked(fdatasyncSync).mock;
  const shm = statSync(`${file}-shm`).ino;
  const done = writes.calls.map(([descriptor, bytes, offset], index) => {
    const isHeader = bytes.length === 2 * HEADER_COPY_BYTES && offset === 0;
    const what = fstatSync(descriptor).ino !== shm ? "frames" : isHeader ? "header" : "entries";
    return { what, at: writes.invocationCallOrder[index]! };
  });
  done.push(...syncs.invocationCallOrder.map((at) => ({ what: "sync", at })));
  vi.clearAllMocks();
  return done.toSorted((a, b) => a.at - b.at).map(({ what }) => what);
}

test("a commit is in the -wal before its entries are in the wal-index, and then one write publishes it", () => {
  const file = join(temporaryFolder(), "edge.db");
  const sql = driver.open(file);
  sql.exec("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a)");
  const appender = new WalAppender({ driver, file });
  onTestFinished(() => {
    appender.close();
    sql.close();
  });
  vi.clearAllMocks();
  for (const isDurable of [false, true]) {
    appender.begin();
    appender.append(3, Buffer.alloc(PAGE_BYTES));
    appender.commit({ databasePageCount: 3, isDurable });
    expect(steps(file)).toEqual(["frames", ...(isDurable ? ["sync"] : []), "entries", "header"]);
  }
});

test("whatever a loss of power leaves of the first commit to a WAL that begins anew, the state before it or after it is there", () => {
  const folder = temporaryFolder();
  const [file, copy] = [join(folder, "edge.db"), join(folder, "copy.db")];
  const source = new SourceDatabase(driver, join(folder, "source.db"));
  source.exec("CREATE TABLE t(n, pad); INSERT INTO t SELECT 0, zeroblob(3000) FROM (VALUES(1), (2), (3))");
  source.copyTo(file);
  const appender = new WalAppender({ driver, file });
  onTestFinished(() => {
    appender.close();
    source.close();
  });
  const commit = (updates: number): void => {
    for (let update = 0; update < updates; update++) source.exec("UPDATE t SET n = n + 1");
    const commits = source.commits();
    appender.begin();
    for (const { pageNumber, image } of commits.flatMap(({ pages }) => pages))
      appender.append(pageNumber, image);
    appender.commit({ databasePageCount: commits[0]!.databasePageCount, isDurable: false });
  };
  commit(1);
  commit(1);
  // Not every file system puts a truncation on the disk before what is written after it.
  const onDisk = readFileSync(`${file}-wal`);
  appender.restartWal();
  vi.clearAllMocks();
  commit(2);

  const { calls, invocationCallOrder } = vi.mocked(writeAt).mock;
  const syncedAt = Math.max(0, ...vi.mocked(fdatasyncSync).mock.invocationCallOrder);
  const unsynced: (readonly [bytes: Uint8Array, offset: number])[] = [];
  const frameBytes = FRAME_HEADER_BYTES + PAGE_BYTES;
  calls.forEach(([descriptor, bytes, offset], index) => {
    if (fstatSync(descriptor).ino !== statSync(`${file}-wal`).ino) return;
    if (invocationCallOrder[index]! < syncedAt) onDisk.set(bytes, offset);
    else
      for (let at = 0; at < bytes.length; at += frameBytes)
        unsynced.push([bytes.subarray(at, at + frameBytes), offset + at]);
  });
  execFileSync("cp", [file, `${file}-kept`]);
  const database = readFileSync(`${file}-kept`);
  const states = new Set<unknown>();
  for (let lost = 0; lost <= unsynced.length; lost++) {
    const wal = Buffer.from(onDisk);
    for (const [bytes, offset] of unsynced.slice(lost)) wal.set(bytes, offset);
    writeFileSync(copy, database);
    writeFileSync(`${copy}-wal`, wal);
    const reader = driver.open(copy);
    states.add(reader.row("SELECT group_concat(n) FROM t")![0]);
    reader.close();
  }
  expect(states).toEqual(new Set(["4,4,4", "2,2,2"]));
});
