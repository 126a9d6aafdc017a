import { TailraceError } from "../shared/errors.ts";
import { failpoint } from "../shared/failpoint.ts";
import { hashPage } from "../shared/format/page-hash.ts";
import type { Position } from "../shared/format/position.ts";
import type { WalIndexHeader } from "../shared/format/wal-index.ts";
import { FragmentReader } from "../shared/log/fragment-reader.ts";
import type { PageTable } from "../shared/pages/page-table.ts";
import type { WalAppender } from "../shared/sqlite/wal-appender.ts";
import { hex64, lockPage } from "../shared/units.ts";
import type { DatabaseChecksum, PageNumber } from "../shared/units.ts";
import type { Batch } from "./batch.ts";
import { isUndisturbed, markOf } from "./left-mark.ts";
import type { PositionFile } from "./position-file.ts";

/** Page images worked through between two turns of the event loop: about a millisecond. */
const SLICE_BYTES = 1 << 20;

/**
 * Puts batches of log records into the database, each as one commit.
 *
 * Order of steps, and what a crash after each leaves:
 *   1. intent in the position file      the old state, or by recovery the new one: re-applied as one commit
 *   2. publish                          the new state; the position is one behind: re-applied, which changes nothing
 *   3. page table, position             the new state
 *
 * Invariant: while `isExact`, the page table is that of the applied state. A batch held in memory touches the table
 * only after it is published; one that is streamed has to touch it before, and leaves it inexact if it fails.
 */
export class Applier {
  private readonly appender: WalAppender;
  private readonly table: PageTable;
  private readonly positionFile: PositionFile;
  private readonly logFolder: string;
  private present: Position;
  /** False once a failure has left the page table between two states: recovery comes before the next batch. */
  isExact = true;

  constructor(options: {
    readonly appender: WalAppender;
    readonly table: PageTable;
    readonly positionFile: PositionFile;
    readonly position: Position;
    readonly logFolder: string;
  }) {
    this.appender = options.appender;
    this.table = options.table;
    this.positionFile = options.positionFile;
    this.present = options.position;
    this.logFolder = options.logFolder;
  }

  get position(): Position {
    return this.present;
  }

  /**
   * Applies one batch. A generator: between its steps, of about a millisecond each, the caller may do other things,
   * but nothing with the appender.
   *
   * @throws database_busy (nothing has happened; try again), diverged, foreign_write, storage_failed, damaged
   */
  *apply(batch: Batch): Generator<undefined, void> {
    const { applied } = this.present;
    if (applied.txid !== batch.from.txid || applied.checksum !== batch.from.checksum) {
      throw diverged(
        `transaction ${batch.from.txid + 1} begins at ${hex64(batch.from.checksum)}`,
        applied.checksum,
      );
    }
    const found = this.appender.begin();
    try {
      if (!isUndisturbed(found, this.present.left)) throw foreignWrite(found, this.present);
      if (batch.pages === undefined) yield* this.stream(batch);
      else yield* this.commit(batch, batch.pages);
    } finally {
      // After a commit there is nothing to abort.
      this.appender.abort();
    }
  }

  /** Writes down a position that differs from the present one in more than what a batch changes. */
  note(change: Partial<Position>, isDurable: boolean): void {
    this.save({ ...this.present, ...change }, isDurable);
  }

  private *commit(batch: Batch, pages: ReadonlyMap<PageNumber, number>): Generator<undefined, void> {
    const { table, appender } = this;
    const { pageSizeBytes } = appender;
    const { pageCount } = batch.to;
    const lock = lockPage(pageSizeBytes);
    const written: PageNumber[] = [];
    const hashes: bigint[] = [];
    let checksum: DatabaseChecksum = table.checksum;
    for (const [page, offset] of pages) {
      // Grown and cut off again within the batch.
      if (page > pageCount || page === lock) continue;
      const image = batch.images.subarray(offset, offset + pageSizeBytes);
      const hash = hashPage(page, image);
      checksum ^= table.get(page) ^ hash;
      written.push(page);
      hashes.push(hash);
      // Nobody sees it before it is published, and it is not published unless the checksum is right.
      appender.append(page, image);
      if ((written.length * pageSizeBytes) % SLICE_BYTES === 0) yield;
    }
    for (let page = pageCount + 1; page <= table.pageCount; page++) checksum ^= table.get(page);
    if (checksum !== batch.to.checksum)
      throw diverged(`transaction ${batch.to.txid} ends at ${hex64(batch.to.checksum)}`, checksum);
    if (written.length > 0) this.publish(batch);
    this.isExact = false;
    written.forEach((page, index) => table.set(page, hashes[index]!));
    table.resize(pageCount);
    this.isExact = true;
    this.arrive(batch);
  }

  /** A transaction larger than memory: read once more from the log copy, piece by piece, into frames nobody sees yet. */
  private *stream(batch: Batch): Generator<undefined, void> {
    const { table, appender } = this;
    const { pageSizeBytes } = appender;
    const { pageCount } = batch.to;
    const lock = lockPage(pageSizeBytes);
    // Written down before the table is touched: after a crash, whatever of it has reached the disk, this very batch is
    // applied again and makes the table right.
    this.save({ ...this.present, intent: batch.to, isStamped: false }, false);
    this.isExact = false;
    const { from, to } = batch;
    const reader = new FragmentReader({ folder: this.logFolder, start: from.cursor, end: () => to.cursor });
    let reached = from.txid;
    let written = 0;
    try {
      for (let placed = reader.next(); placed !== undefined; placed = reader.next()) {
        const { pageNumbers, images, txid, databasePageCount } = placed.fragment;
        if (databasePageCount > 0) reached = txid;
        pageNumbers.forEach((page, index) => {
          if (page > pageCount || page === lock) return;
          written += 1;
          const image = images.subarray(index * pageSizeBytes, (index + 1) * pageSizeBytes);
          table.set(page, hashPage(page, image));
          appender.append(page, image);
        });
        yield;
      }
    } finally {
      reader.close();
    }
    table.resize(pageCount);
    if (reached !== to.txid)
      throw diverged(`the log copy leads to transaction ${reached}, not ${to.txid}`, table.checksum);
    if (table.checksum !== to.checksum)
      throw diverged(`transaction ${to.txid} ends at ${hex64(to.checksum)}`, table.checksum);
    if (written > 0) this.publish(batch);
    this.isExact = true;
    this.arrive(batch);
  }

  private publish(batch: Batch): void {
    const header = this.appender.commit({
      databasePageCount: batch.to.pageCount,
      // The log copy is what is durable: after a power loss the database is brought up from the floor again.
      isDurable: false,
      beforePublish: (intended) => {
        this.save({ ...this.present, intent: batch.to, intended: markOf(intended), isStamped: false }, false);
        failpoint("apply.intent-written");
      },
    });
    failpoint("apply.published");
    this.present = { ...this.present, left: markOf(header) };
  }

  private arrive(batch: Batch): void {
    const { to, commitTimeMs, epoch } = batch;
    this.save({ ...this.present, applied: to, intent: to, commitTimeMs, epoch }, false);
    failpoint("apply.position-written");
  }

  private save(position: Position, isDurable: boolean): void {
    this.positionFile.write(position, isDurable);
    this.present = position;
  }
}

function diverged(what: string, found: DatabaseChecksum): TailraceError {
  return new TailraceError("diverged", `${what}, the replica is at ${hex64(found)}`, {
    hint: "The replica compares its pages with the primary's and fetches those that differ.",
  });
}

function foreignWrite(found: WalIndexHeader, { left }: Position): TailraceError {
  return new TailraceError(
    "foreign_write",
    `another process has written to the replica: its WAL has change ${found.change}, frame ${found.mxFrame}; ` +
      `Tailrace left change ${left.change}, frame ${left.frame}`,
    { hint: FOREIGN_WRITE_HINT },
  );
}

export const FOREIGN_WRITE_HINT =
  "Keep what was written if it matters, then restart with --on-foreign-write resync, which undoes it.";
