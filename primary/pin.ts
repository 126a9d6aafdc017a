import type { WalMark } from "../shared/format/record.ts";
import type { Connection, Driver } from "../shared/sqlite/driver.ts";
import type { WalIndexFile } from "../shared/sqlite/wal-index-file.ts";

/**
 * The read transaction that keeps commits in the SQLite WAL until they are captured.
 *
 * Held on one of two connections in turn, each new one begun before the old one ends, so that at no moment there is
 * none. Which of SQLite's locks it holds depends on the WAL at that moment:
 *
 * - some frames are not in the database file yet: a read mark above 0. No writer restarts the WAL, and checkpoints copy
 *   only frames up to that mark.
 * - all of them are: READ_LOCK(0). The next writer may restart the WAL; but as long as the lock is held no checkpoint
 *   copies anything, so that a second restart cannot follow before we have seen what the first one brought.
 *
 * Either way every commit after the captured one stands in the WAL. What must not be done is to take a pin of the
 * second kind while the WAL holds commits that are not captured: `move` is called after a capture to the end.
 */
export class Pin {
  private readonly connections: readonly [Connection, Connection];
  private readonly index: WalIndexFile;
  private held: 0 | 1 | undefined;
  private isOpen = false;
  private wasMoved = false;

  constructor(driver: Driver, file: string, index: WalIndexFile) {
    this.connections = [connect(driver, file), connect(driver, file)];
    this.index = index;
  }

  /** Whether the pin may be of the second kind, and was taken with everything captured. */
  get mayRestart(): boolean {
    return this.isOpen;
  }

  /** Whether it is still the one that was taken before anything was captured, so that a restart would be a gap. */
  get isFirst(): boolean {
    return !this.wasMoved;
  }

  /** The first pin, while nothing is captured yet: a restart would be a gap. @throws the driver's busy error */
  take(): void {
    this.begin(0);
    this.held = 0;
  }

  /**
   * Takes a new pin, then releases the old one.
   *
   * @param captured the last captured commit; nothing was left to capture just before
   * @throws the driver's busy error when SQLite is recovering the WAL; the old pin then stays
   */
  move(captured: WalMark): void {
    const next = this.held === 0 ? 1 : 0;
    this.begin(next);
    const { header, backfill } = this.index.read();
    // Other salts: the old pin was of the second kind and a restart has come in between, which is still to be captured.
    // The same: a frame that is missing in the database file now was missing when the transaction began.
    if (header.salts === captured.salts) this.isOpen = backfill >= captured.frame;
    if (this.held !== undefined) this.connections[this.held].exec("COMMIT");
    this.held = next;
    this.wasMoved = true;
  }

  close(): void {
    this.held = undefined;
    for (const connection of this.connections) connection.close();
  }

  private begin(index: 0 | 1): void {
    const connection = this.connections[index];
    connection.exec("BEGIN");
    try {
      // Any read begins the transaction. This one needs no readable schema.
      connection.row("PRAGMA schema_version");
    } catch (error) {
      try {
        connection.exec("ROLLBACK");
      } catch {
        // Some errors, of the disk above all, have ended the transaction already: https://www.sqlite.org/lang_transaction.html
      }
      throw error;
    }
  }
}

function connect(driver: Driver, file: string): Connection {
  const connection = driver.open(file, { mustExist: true });
  connection.exec("PRAGMA wal_autocheckpoint=0");
  return connection;
}
