import { fdatasyncSync, fstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
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
