import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../../../primary/open-database.ts";
import { Capture } from "../../../primary/capture.ts";
import { startCapture } from "../../../primary/capture-thread.ts";
import { hashPage } from "../../../shared/format/page-hash.ts";
import { SnapshotStore } from "../../../shared/snapshots/snapshot-store.ts";
import { driver } from "../../../shared/sqlite/node-sqlite.ts";
import { currentBootId } from "../../../shared/storage/boot-id.ts";
import { DataFolder } from "../../../shared/storage/data-folder.ts";
import { hex64, lockPage } from "../../../shared/units.ts";
import type { FormatOf } from "../engine/folder-steps.ts";
import {
  positionFields,
  sealCrc,
  sealPosition,
  sealSegmentFile,
  segmentFileFields,
  tableFields,
} from "./layouts.ts";

export const PAGE_BYTES = 512;
const SEGMENT_BYTES = 16 << 10;
const NUMBERS = [0, 4, 8, 12, 16, 20, 24, 28, 92, 96];

/** What stands in the files of a data folder, and in the database beside it. */
export const formatOf: FormatOf = (name) => {
  if (name.endsWith(".log")) return { fields: segmentFileFields, seal: sealSegmentFile };
  if (/(^|\/)position$/.test(name)) return { fields: positionFields, seal: sealPosition };
  if (name.endsWith("pages.sum"))
    return { fields: () => tableFields, seal: (bytes) => sealCrc(bytes, 0, 60) };
  if (name.endsWith(".db"))
    return { fields: () => NUMBERS.map((at) => ({ at, bytes: 4, isBigEndian: true })) };
  return undefined;
};

/** A folder with `app.db` and the data folder of a primary that was stopped: some 30 transactions, several segments, two snapshots. */
export async function makePrimary(home: string): Promise<void> {
  const file = join(home, "app.db");
  const database = new DatabaseSync(file);
  database.exec(
    `PRAGMA page_size=${PAGE_BYTES}; PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b)`,
  );
  const capture = await startCapture({
    file,
    dataDir: `${file}-tailrace`,
    driverName: "node:sqlite",
    durability: "os",
    segmentSizeBytes: SEGMENT_BYTES,
  });
  for (let part = 0; part < 2; part++) {
    for (let commit = 0; commit < 15; commit++) database.exec("INSERT INTO t(b) VALUES (randomblob(900))");
    await capture.durable();
    await capture.snapshot();
  }
  database.close();
  await capture.close();
}

/** Puts a copy in place of whatever stood there. */
export function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to);
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
}

/** What a primary says after its start: which log it goes on with, and what its database is by it. */
export interface Started {
  readonly logId: string;
  readonly headTxid: number;
  readonly checksum: string;
  /** By the page table, read whole. */
  readonly tableChecksum: string;
  readonly pageSizeBytes: number;
  readonly pageCount: number;
}

/** Starts a primary in this thread, and stops it. */
export async function startPrimary(home: string): Promise<Started> {
  const file = join(home, "app.db");
  const folder = DataFolder.open(`${file}-tailrace`, driver);
  try {
    const database = openDatabase(driver, file);
    try {
      const capture = await Capture.open({
        database,
        folder,
        durability: "os",
        segmentSizeBytes: SEGMENT_BYTES,
        clock: () => Date.now(),
        say: () => {},
        isNewDatabase: false,
        bootId: currentBootId(),
        snapshots: SnapshotStore.open(folder.snapshotsFolder),
      });
      const { log, meta } = capture;
      const started = {
        logId: meta.logId,
        headTxid: log.headTxid,
        checksum: hex64(log.headChecksum),
        tableChecksum: hex64(capture.table.recompute()),
        pageSizeBytes: meta.pageSizeBytes,
        pageCount: log.headPageCount,
      };
      capture.close();
      return started;
    } finally {
      database.connection.close();
    }
  } finally {
    folder.close();
  }
}

/** The database checksum of a file at rest, by its pages. */
export function checksumOf(file: string): string {
  const read = readFileSync(file);
  const size = read.length < 100 || read.readUInt16BE(16) === 1 ? 65_536 : read.readUInt16BE(16);
  // The last page may be there in part: the rest of it is zeros.
  const bytes = Buffer.concat([read, Buffer.alloc((size - (read.length % size)) % size)]);
  let checksum = 0n;
  for (let page = 1; page * size <= bytes.length; page++)
    if (page !== lockPage(size)) checksum ^= hashPage(page, bytes.subarray((page - 1) * size, page * size));
  return hex64(checksum);
}
