import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hashPage } from "../shared/format/page-hash.ts";
import { compareCursors } from "../shared/format/cursor.ts";
import { FragmentReader } from "../shared/log/fragment-reader.ts";
import type { LogWriter } from "../shared/log/log-writer.ts";
import { PageTable } from "../shared/pages/page-table.ts";
import { isUnbegun } from "../shared/log/segment-files.ts";
import { syncFolder } from "../shared/storage/atomic-file.ts";
import type { DataFolder } from "../shared/storage/data-folder.ts";
import { onStorage } from "../shared/storage/storage-error.ts";
import type { LoggedState } from "../shared/plan/reconcile.ts";
import type { Cursor } from "../shared/units.ts";

const SET_ASIDE = "log-set-aside-";

/**
 * The page table at the log's head: as it was left, with the log replayed over it from its mark on.
 *
 * @returns undefined when there is no table, or it does not come out at the log's checksum: it has to be made anew
 */
export function openPageTable(folder: DataFolder, log: LogWriter): PageTable | undefined {
  const table = PageTable.open(folder.pageTableFile);
  if (table === undefined) return undefined;
  const { cursor } = table.mark;
  const isInLog = compareCursors(cursor, log.start) >= 0 && compareCursors(cursor, log.end) <= 0;
  if (isInLog) replay(table, folder.logFolder, cursor, log.end);
  if (isInLog && table.checksum === log.headChecksum && table.pageCount === log.headPageCount) return table;
  table.close();
  return undefined;
}

/** Brings a page table from the state at one place of the log to that at another. */
export function replay(table: PageTable, logFolder: string, from: Cursor, to: Cursor): void {
  const reader = new FragmentReader({ folder: logFolder, start: from, end: () => to });
  try {
    for (let placed = reader.next(); placed !== undefined; placed = reader.next()) {
      const { pageNumbers, images, pageSizeBytes, databasePageCount } = placed.fragment;
      pageNumbers.forEach((pageNumber, index) => {
        const image = images.subarray(index * pageSizeBytes, (index + 1) * pageSizeBytes);
        table.set(pageNumber, hashPage(pageNumber, image));
      });
      if (databasePageCount > 0) table.resize(databasePageCount);
    }
  } finally {
    reader.close();
  }
}

/** The states from one place of the log on, the one at that place included; ascending. Not the head's. */
export function loggedStates(log: LogWriter, logFolder: string, from: Cursor): LoggedState[] {
  const states: LoggedState[] = [];
  const reader = new FragmentReader({ folder: logFolder, start: from, end: () => log.end });
  try {
    for (let placed = reader.next(); placed !== undefined; placed = reader.next()) {
      const { txid, fragmentIndex, checksumBefore } = placed.fragment;
      if (fragmentIndex === 0) states.push({ txid: txid - 1, checksum: checksumBefore });
    }
    return states;
  } finally {
    reader.close();
  }
}

/**
 * Moves a log out of the way that nothing can be added to, for whoever wants to look at it. One log is kept like that.
 * Snapshots stay: each names its log, and no number of one may come again.
 *
 * @throws storage_failed
 */
export function setLogAside(folder: DataFolder, logId: string): string {
  const target = join(folder.path, SET_ASIDE + logId);
  onStorage("set aside", folder.logFolder, () => {
    if (existsSync(target) && isUnbegun(folder.logFolder)) {
      // A start that had set the log aside did not come to its end: what is there now is not worth keeping instead.
      rmSync(folder.logFolder, { recursive: true, force: true });
      return;
    }
    for (const name of readdirSync(folder.path)) {
      if (name.startsWith(SET_ASIDE)) rmSync(join(folder.path, name), { recursive: true });
    }
    rmSync(folder.pageTableFile, { force: true });
    if (existsSync(folder.logFolder)) renameSync(folder.logFolder, target);
    syncFolder(folder.path);
  });
  return target;
}
