import type { WalMark } from "../shared/format/record.ts";
import { isSameHeader } from "../shared/format/wal-index.ts";
import type { WalIndexHeader } from "../shared/format/wal-index.ts";
import { FragmentReader } from "../shared/log/fragment-reader.ts";
import type { LogWriter } from "../shared/log/log-writer.ts";
import { markOf } from "../shared/plan/wal-continuity.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { WalAppender } from "../shared/sqlite/wal-appender.ts";
import type { Cursor, Txid } from "../shared/units.ts";

export interface PutBack {
  readonly driver: Driver;
  readonly file: string;
  readonly logFolder: string;
  readonly log: LogWriter;
  /** A place in the log at or before the lost transactions. */
  readonly from: Cursor;
  /** The transaction that the database stands at. */
  readonly txid: Txid;
  /** The state of which that is known. */
  readonly header: WalIndexHeader;
}

/**
 * Applies to the database all that the log has after a transaction, as one commit: readers see the state before or that
 * of the log's head. It is on disk when this returns.
 *
 * @returns where the head stands in the WAL now; undefined when someone has written in between, and nothing was done
 * @throws database_busy when another writer is at work
 */
export function putBack({ driver, file, logFolder, log, from, txid, header }: PutBack): WalMark | undefined {
  const appender = new WalAppender({ driver, file });
  const reader = new FragmentReader({ folder: logFolder, start: from, end: () => log.end });
  try {
    if (!isSameHeader(appender.begin(), header)) return undefined;
    for (let placed = reader.next(); placed !== undefined; placed = reader.next()) {
      const { fragment } = placed;
      if (fragment.txid <= txid) continue;
      fragment.pageNumbers.forEach((pageNumber, index) => {
        if (pageNumber > log.headPageCount) return;
        const start = index * fragment.pageSizeBytes;
        appender.append(pageNumber, fragment.images.subarray(start, start + fragment.pageSizeBytes));
      });
    }
    return markOf(appender.commit({ databasePageCount: log.headPageCount, isDurable: true }));
  } finally {
    reader.close();
    appender.close();
  }
}
