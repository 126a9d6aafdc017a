import { closeSync, openSync, readSync } from "node:fs";
import { TailraceError, assert } from "../errors.ts";
import { failpoint } from "../failpoint.ts";
import { isSameHeader } from "../format/wal-index.ts";
import type { WalIndexHeader } from "../format/wal-index.ts";
import { lockPage } from "../units.ts";
import type { PageNumber } from "../units.ts";
import { restartWal } from "./checkpoint.ts";
import { isBusy } from "./driver.ts";
import type { Connection, Driver } from "./driver.ts";
import { FrameWriter } from "./frame-writer.ts";
import { holdFile } from "./held-files.ts";
import { WalIndexFile } from "./wal-index-file.ts";
import { WalIndexWriter } from "./wal-index-writer.ts";

export interface WalAppenderOptions {
  readonly driver: Driver;
  /** A database in WAL mode. */
  readonly file: string;
}

export interface AppendCommit {
  /** The database's size after this commit. */
  readonly databasePageCount: number;
  /** Whether the commit is on disk before a reader sees it. */
  readonly isDurable: boolean;
  /**
   * Called with the header to come while the commit's last frame is not in the file yet. From that frame on a crash can
   * make the commit visible (recovery finds it), so this is the last moment to write down what is about to be.
   */
  readonly beforePublish?: (intended: WalIndexHeader) => void;
}

/**
 * Commits whole pages to a database the way SQLite's own writer does: frames in the `-wal`, entries in the wal-index,
 * and then, by one write of the wal-index header, all of it visible at once. Readers in any process keep their snapshot; the next
 * read sees the new state. A crash at any point leaves the old state or the new one.
 *
 *   begin → append … append → commit | abort
 *
 * Whatever throws before the end of `commit` has published nothing; `abort` then ends the transaction.
 *
 * The connection behind it never writes and never rolls back. Its one job is to hold the file's write lock, through
 * which it keeps out other writers and every checkpoint that would restart the WAL. It stays open as long as the
 * appender, so that no other process's last close deletes the `-wal`.
 */
export class WalAppender {
  readonly pageSizeBytes: number;
  readonly index: WalIndexFile;
  private readonly driver: Driver;
  private readonly file: string;
  private readonly connection: Connection;
  private readonly wal: number;
  private readonly frames: FrameWriter;
  private readonly entries: WalIndexWriter;
  /** The wal-index header, as last found or left by this object. */
  private known: WalIndexHeader;
  /** The same when the WAL was restarted last: what is known is still of the commit before. */
  private restarted: WalIndexHeader | undefined;
  private isOpen = false;
  private isClosed = false;

  /** @throws invalid_request when the database is not in WAL mode; the driver's error when it cannot be opened */
  constructor({ driver, file }: WalAppenderOptions) {
    this.driver = driver;
    this.file = file;
    this.connection = driver.open(file, { mustExist: true });
    try {
      this.connection.exec("PRAGMA wal_autocheckpoint=0");
      // Any read makes SQLite create the -wal and the -shm, and recover them. This one needs no readable schema.
      this.connection.row("PRAGMA schema_version");
      assertWalMode(file);
      this.pageSizeBytes = this.connection.row("PRAGMA page_size")?.[0] as number;
      this.index = new WalIndexFile(holdFile(`${file}-shm`));
      this.known = this.index.read().header;
      this.wal = openSync(`${file}-wal`, "r+");
    } catch (error) {
      this.connection.close();
      throw error;
    }
    this.frames = new FrameWriter(`${file}-wal`, this.wal, this.pageSizeBytes);
    this.entries = new WalIndexWriter(this.index);
  }

  /** Frames in the WAL, as last found or left: none from a restart to the next commit. */
  get frameCount(): number {
    return this.known === this.restarted ? 0 : this.known.mxFrame;
  }

  /** The wal-index header as it was last found or left. */
  get header(): WalIndexHeader {
    return this.known;
  }

  /**
   * Takes the write lock.
   *
   * @returns the header found: the caller compares it with the one it left, to tell whether someone else has written
   * @throws database_busy at once (retryable) when another writer has the lock
   */
  begin(): WalIndexHeader {
    assert(!this.isOpen && !this.isClosed, "begin on an appender that is idle");
    this.lock();
    try {
      const { header } = this.index.read();
      assert(
        [0, this.pageSizeBytes].includes(header.pageSizeBytes),
        "the page size never changes in WAL mode",
      );
      this.entries.start(header.mxFrame, isSameHeader(header, this.known));
      this.frames.start(header);
      this.known = header;
      return header;
    } catch (error) {
      this.unlock();
      throw error;
    }
  }

  /**
   * Adds a page to the commit. A page may come again: the later image counts.
   *
   * @param image is copied, and may be used again at once
   */
  append(pageNumber: PageNumber, image: Uint8Array): void {
    assert(this.isOpen, "append within a transaction");
    assert(
      image.length === this.pageSizeBytes,
      `an image has ${this.pageSizeBytes} bytes, not ${image.length}`,
    );
    assert(
      pageNumber > 0 && pageNumber !== lockPage(this.pageSizeBytes),
      `page ${pageNumber} is never written`,
    );
    this.frames.append(pageNumber, image);
    this.entries.insert(pageNumber);
  }

  /** Publishes what was appended, as one commit. @returns the header that now stands */
  commit({ databasePageCount, isDurable, beforePublish }: AppendCommit): WalIndexHeader {
    assert(this.isOpen, "commit within a transaction");
    const intended: WalIndexHeader = {
      change: (this.known.change + 1) >>> 0,
      pageSizeBytes: this.pageSizeBytes,
      isBigEndianChecksum: this.frames.isBigEndianChecksum,
      mxFrame: this.frames.frame,
      databasePageCount,
      frameChecksum: this.frames.sealCommit(databasePageCount),
      salts: this.frames.salts,
    };
    beforePublish?.(intended);
    this.frames.flush();
    failpoint("append.frames-written");
    if (isDurable) this.frames.sync();
    failpoint("append.synced");
    this.entries.flush();
    failpoint("append.index-written");
    this.index.writeHeader(intended);
    failpoint("append.published");
    this.known = intended;
    this.unlock();
    return intended;
  }

  /** Ends the transaction with nothing published. Without a transaction, does nothing. */
  abort(): void {
    if (!this.isOpen) return;
    try {
      this.entries.discard();
      this.frames.discard();
    } finally {
      this.unlock();
    }
  }

  /**
   * Copies what the database file still lacks, and makes the next commit start at the beginning of the `-wal` again. Never
   * waits for a lock; a {@link ./checkpointer.ts!BackgroundCheckpointer} does the copying beforehand, off this thread.
   *
   * @returns false when a reader or writer stands in the way. Otherwise the next {@link begin} finds mxFrame 0, new salts
   * and the same change counter
   */
  restartWal(): boolean {
    assert(!this.isOpen && !this.isClosed, "restart outside a transaction");
    if (!restartWal(this.connection)) return false;
    this.restarted = this.known;
    return true;
  }

  /** Makes durable what was committed so far. @throws storage_failed */
  sync(): void {
    this.frames.sync();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.abort();
    closeSync(this.wal);
    this.connection.close();
  }

  private lock(): void {
    try {
      this.connection.exec("BEGIN IMMEDIATE");
      this.isOpen = true;
    } catch (cause) {
      if (!isBusy(this.driver, cause)) throw cause;
      throw new TailraceError("database_busy", `${this.file} is locked by another writer`, {
        cause,
        retryable: true,
      });
    }
  }

  /**
   * Always COMMIT. A rollback would take over the shared header, which we have changed, without dropping the
   * connection's page cache: it would then read stale pages.
   */
  private unlock(): void {
    this.connection.exec("COMMIT");
    this.isOpen = false;
  }
}

/** Looks at the file format versions, bytes 18 and 19: 2 is WAL. `PRAGMA journal_mode` would need a readable schema. */
function assertWalMode(file: string): void {
  const versions = Buffer.alloc(2);
  readSync(holdFile(file), versions, 0, 2, 18);
  if (versions[0] === 2 && versions[1] === 2) return;
  throw new TailraceError("invalid_request", `${file} is not in WAL mode`, {
    hint: "PRAGMA journal_mode=WAL",
  });
}
