import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BLOCK_BYTES, WAL_INDEX_HEADER_BYTES, WalIndexBlock } from "../format/wal-index.ts";
import type { WalIndexHeader } from "../format/wal-index.ts";
import { holdFile } from "./held-files.ts";
import { driver } from "./node-sqlite.ts";
import { WalIndexFile } from "./wal-index-file.ts";

const HEADER: WalIndexHeader = {
  change: 7,
  pageSizeBytes: 65536,
  isBigEndianChecksum: false,
  mxFrame: 3,
  databasePageCount: 2,
  frameChecksum: "0123456789abcdef",
  salts: "fedcba9876543210",
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tailrace-index-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A wal-index without SQLite behind it: so it may be read and written freely. */
function bareIndex(size = BLOCK_BYTES): { path: string; index: WalIndexFile } {
  const path = join(folder, "bare-shm");
  writeFileSync(path, Buffer.alloc(size, 0xee));
  return { path, index: new WalIndexFile(holdFile(path)) };
}

test("reads what SQLite wrote: each commit shows, and each page is found where the -wal has it", () => {
  const file = join(folder, "app.db");
  const writer = driver.open(file);
  writer.exec("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a)");
  const index = new WalIndexFile(holdFile(`${file}-shm`));
  const before = index.read().header;
  writer.exec("INSERT INTO t VALUES(randomblob(100000))");
  const { header, backfill } = index.read();
  expect(header).toMatchObject({ change: before.change + 1, pageSizeBytes: 4096, salts: before.salts });
  expect(backfill).toBe(0);
  const wal = readFileSync(`${file}-wal`);
  for (let frame = 1; frame <= header.mxFrame; frame++) {
    const pageNumber = wal.readUInt32BE(32 + (frame - 1) * 4120);
    expect(index.readBlock(0)?.pageNumberAt(frame)).toBe(pageNumber);
    expect(index.readBlock(0)?.find(pageNumber, frame)).toBe(frame);
  }
  expect(index.readBlock(1)).toBe(undefined);
  writer.close();
});

test("a header is what was written; with one of its copies changed it is none", () => {
  const { path, index } = bareIndex();
  const read = (): unknown => index.read();
  expect(read).toThrow(expect.objectContaining({ code: "database_busy", retryable: true }));
  index.writeHeader(HEADER);
  expect(index.read().header).toEqual(HEADER);
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(50) ^ 1, 50);
  writeFileSync(path, bytes);
  expect(read).toThrow(expect.objectContaining({ code: "database_busy" }));
});

test("a block is written whole, up to the file's next 32 KiB, and leaves header, marks and locks alone", () => {
  const { path, index } = bareIndex();
  const first = new WalIndexBlock(0);
  first.insert(1, 42);
  index.writeBlock(first);
  index.writeBlock(new WalIndexBlock(1));
  const bytes = readFileSync(path);
  expect(bytes.length).toBe(2 * BLOCK_BYTES);
  expect(bytes.subarray(0, WAL_INDEX_HEADER_BYTES)).toEqual(Buffer.alloc(WAL_INDEX_HEADER_BYTES, 0xee));
  expect(bytes.subarray(WAL_INDEX_HEADER_BYTES, BLOCK_BYTES)).toEqual(
    first.bytes.subarray(WAL_INDEX_HEADER_BYTES),
  );
  expect(index.readBlock(0)?.find(42, 1)).toBe(1);
});

test("an index that is cut short has no header and no block", () => {
  const { index } = bareIndex(100);
  const read = (): unknown => index.read();
  expect(read).toThrow(expect.objectContaining({ code: "database_busy" }));
  expect(index.readBlock(0)).toBe(undefined);
});
