import { TailraceError } from "../errors.ts";
import type { WalIndexHeader } from "../format/wal-index.ts";
import { isBusy } from "../sqlite/driver.ts";
import type { Connection, Driver } from "../sqlite/driver.ts";
import type { WalIndexFile } from "../sqlite/wal-index-file.ts";

/** A state can be pinned between two commits of a writer that leaves some 20 µs; misses are cheap. */
const MAX_ATTEMPTS = 10_000;
const MAX_BUSY_WAITS = 100;
const BUSY_WAIT_MS = 1;
const sleeping = new Int32Array(new SharedArrayBuffer(4));

export interface ReadPin {
  /** The wal-index header of exactly the state that the transaction reads. */
  readonly header: WalIndexHeader;
  /**
   * True: the lock is on a read mark above 0; the WAL cannot restart, and pages are to be looked up in it.
   * False: the lock is on mark 0; all is in the database file, no checkpoint writes to it, but the WAL may restart.
   */
  readonly needsWal: boolean;
}

/**
 * Begins a read transaction, and finds out at exactly which header it stands and which kind of lock holds it.
 *
 * SQLite tells neither; so the header is read before and after the transaction begins. Between two equal readings no
 * commit was published, for each changes the header for good, so SQLite saw the same one. The lock is on mark 0 when
 * all frames were in the database file already, and on one above when some were not (walTryBeginRead in SQLite's
 * wal.c); where a checkpoint ended in between it can be either, and the transaction is begun anew.
 *
 * @param connection outside any transaction; inside one after this
 * @throws database_busy (retryable) when readers are locked out, or commits leave no gap; the connection is then
 *   outside any transaction
 */
export function beginPinned(connection: Connection, driver: Driver, index: WalIndexFile): ReadPin {
  let busyWaits = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    let isPinned = false;
    try {
      // SQLite recovers a wal-index that is new, or that a writer died over; until then it cannot be read here.
      if (attempt === 0 || busyWaits > 0) readSomething(connection);
      const before = index.read();
      connection.exec("BEGIN");
      isPinned = true;
      readSomething(connection);
      const after = index.read();
      const { header } = after;
      const wasInFile = before.backfill >= before.header.mxFrame;
      const isInFile = after.backfill >= header.mxFrame;
      if (isSameHeader(before.header, header) && wasInFile === isInFile) {
        isPinned = false; // Nothing is to be undone any more.
        return { header, needsWal: !isInFile };
      }
    } catch (error) {
      const isPassing = isBusy(driver, error) || (error instanceof TailraceError && error.retryable);
      if (!isPassing) throw error;
      if (++busyWaits > MAX_BUSY_WAITS) throw busy("a lock kept readers out", error);
      Atomics.wait(sleeping, 0, 0, BUSY_WAIT_MS);
    } finally {
      if (isPinned) connection.exec("COMMIT");
    }
  }
  throw busy(`commits left no gap in ${MAX_ATTEMPTS} attempts`, undefined);
}

/** Takes the read lock without reading the schema, which may be long, or beyond this SQLite version. */
function readSomething(connection: Connection): void {
  connection.row("PRAGMA schema_version");
}

function isSameHeader(a: WalIndexHeader, b: WalIndexHeader): boolean {
  return (
    a.change === b.change &&
    a.mxFrame === b.mxFrame &&
    a.salts === b.salts &&
    a.frameChecksum === b.frameChecksum &&
    a.databasePageCount === b.databasePageCount
  );
}

function busy(why: string, cause: unknown): TailraceError {
  return new TailraceError("database_busy", `no state of the database could be pinned: ${why}`, {
    retryable: true,
    cause,
  });
}
