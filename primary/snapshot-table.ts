import { closeSync, openSync } from "node:fs";
import { PageTable } from "../shared/pages/page-table.ts";
import type { LogWriter } from "../shared/log/log-writer.ts";
import { SnapshotStore } from "../shared/snapshots/snapshot-store.ts";
import type { DataFolder } from "../shared/storage/data-folder.ts";
import { readAt } from "../shared/storage/positioned-io.ts";
import { onStorage } from "../shared/storage/storage-error.ts";
import { replay } from "./history.ts";

const ENTRY_BYTES = 8;
const SLICE_ENTRIES = 1 << 16;

/**
 * The page table at the log's head, made from the page checksums of the newest snapshot and the log since then.
 *
 * @returns undefined when there is no snapshot of this log, or the result is not at the log's checksum
 */
export function tableFromSnapshot(folder: DataFolder, log: LogWriter, logId: string): PageTable | undefined {
  const snapshot = SnapshotStore.open(folder.snapshotsFolder).newest(logId);
  if (snapshot === undefined || snapshot.cursor.segment < log.start.segment) return undefined;
  const table = PageTable.create(folder.pageTableFile);
  fill(table, snapshot.checksumsFile, snapshot.pageCount);
  replay(table, folder.logFolder, snapshot.cursor, log.end);
  if (table.checksum === log.headChecksum && table.pageCount === log.headPageCount) {
    table.flush({ txid: log.headTxid, cursor: log.end });
    return table;
  }
  table.close();
  return undefined;
}

function fill(table: PageTable, path: string, pageCount: number): void {
  const descriptor = onStorage("open", path, () => openSync(path, "r"));
  try {
    const bytes = Buffer.alloc(SLICE_ENTRIES * ENTRY_BYTES);
    for (let before = 0; before < pageCount; before += SLICE_ENTRIES) {
      const size = onStorage("read", path, () => readAt(descriptor, bytes, before * ENTRY_BYTES));
      for (let at = 0; at + ENTRY_BYTES <= size; at += ENTRY_BYTES) {
        table.set(before + at / ENTRY_BYTES + 1, bytes.readBigUInt64LE(at));
      }
    }
  } finally {
    closeSync(descriptor);
  }
  table.resize(pageCount);
}
