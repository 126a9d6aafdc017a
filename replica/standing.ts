import { statSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { TailraceError } from "../shared/errors.ts";
import { compareCursors } from "../shared/format/cursor.ts";
import type { Position } from "../shared/format/position.ts";
import type { LogCopy } from "../shared/log/log-copy.ts";
import { segmentPath } from "../shared/log/segment-files.ts";
import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { DatabaseView } from "../shared/pages/database-view.ts";
import type { PageTable } from "../shared/pages/page-table.ts";
import { NoRoomError } from "../shared/storage/disk-room.ts";
import type { ReplicaRoom } from "../shared/storage/disk-room.ts";
import type { PageNumber } from "../shared/units.ts";
import type { Applier } from "./applier.ts";
import { BatchReader } from "./batch.ts";
import type { Batch } from "./batch.ts";
import { isUndisturbed } from "./left-mark.ts";
import { recover } from "./recovery.ts";
import type { RecoveryOptions } from "./recovery.ts";
import { WalCare } from "./wal-care.ts";

export interface StandingOptions extends RecoveryOptions {
  /** What comes from the primary is written only where it has. */
  readonly room: ReplicaRoom;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly metrics: ReplicaEngineMetrics;
  /** After each commit. */
  readonly onApplied: (position: Position) => void;
}

/**
 * What exists only while the database is proven to be at its position: what was received is applied to it, views of its
 * exact state are given, and its SQLite WAL is kept small.
 */
export class Standing {
  readonly care: WalCare;
  private readonly options: StandingOptions;
  private readonly applier: Applier;
  private readonly table: PageTable;
  private readonly batches: BatchReader;
  /** Gathered, and to be tried again: another writer had the lock. */
  private pending: Batch | undefined;
  private isOver = false;

  private constructor(options: StandingOptions, applier: Applier, table: PageTable) {
    const { database, files, copy, nowMs, metrics } = options;
    const { applied, epoch, logId, pageSizeBytes } = applier.position;
    this.options = options;
    this.applier = applier;
    this.table = table;
    this.batches = new BatchReader({
      folder: files.logFolder,
      pageSizeBytes,
      logId,
      start: applied,
      epoch,
      end: () => copy.end,
    });
    this.care = new WalCare({ database, applier, table, copy, nowMs, metrics });
  }

  /** Proves that database and position agree. @throws as {@link recover} */
  static async prove(options: StandingOptions): Promise<Standing> {
    const { applier, table } = await recover(options);
    const { database, copy } = options;
    const { applied } = applier.position;
    if (!leadsOn(copy, applier.position)) {
      // No log leads to the applied state again: it has to outlive a loss of power without.
      database.appender.sync();
      applier.note({ floor: applied }, true);
      copy.reset(applied.cursor);
    }
    return new Standing(options, applier, table);
  }

  get position(): Position {
    return this.applier.position;
  }

  /** Whether the page table is that of the applied state: it is not after some failures, and in the middle of some batches. */
  get isExact(): boolean {
    return this.applier.isExact;
  }

  /** Bytes received and not applied. */
  get backlogBytes(): number {
    const { copy, files } = this.options;
    const { end } = copy;
    const { cursor } = this.position.applied;
    let bytes = end.offset - cursor.offset;
    for (let { segment } = cursor; segment < end.segment; segment++)
      bytes += statSync(segmentPath(files.logFolder, segment), { throwIfNoEntry: false })?.size ?? 0;
    return Math.max(0, bytes);
  }

  /** Of a page, as it is applied. */
  hashOf(page: PageNumber): bigint {
    return this.table.get(page);
  }

  /** A view of exactly the state that the position names; undefined while there is no such state. */
  view(): DatabaseView | undefined {
    if (!this.isExact) return undefined;
    const view = this.options.database.view();
    if (isUndisturbed(view.header, this.position.left)) return view;
    view.close();
    return undefined;
  }

  /**
   * Applies one batch of what was received. Gives way to other work about every millisecond, but a small batch is
   * applied without a pause.
   *
   * @param isBehind whether the primary had more to send than what has come
   * @returns false when nothing whole is left to apply
   * @throws database_busy (nothing has happened); diverged, foreign_write, damaged, storage_failed
   */
  async applyNext(isBehind: boolean): Promise<boolean> {
    const { applier, care } = this;
    const { nowMs, metrics, onApplied } = this.options;
    // Also of what is due while nothing comes: then something may come.
    if (care.holdingCommits !== undefined) await care.holdingCommits;
    if (this.isOver) return false;
    const batch = this.pending ?? this.batches.next();
    this.pending = batch;
    if (batch === undefined) return false;
    if (!this.takeRoom(batch)) await this.makeRoom(batch);
    const startMs = nowMs();
    for (const _ of applier.apply(batch)) await turn();
    this.pending = undefined;
    metrics.applied(batch.to.txid - batch.from.txid, (nowMs() - startMs) / 1000);
    care.committed();
    onApplied(applier.position);
    await care.tend(isBehind);
    return true;
  }

  /** Nothing is applied after it. */
  async end(): Promise<void> {
    this.isOver = true;
    this.pending = undefined;
    await this.care.end();
    this.batches.close();
    this.table.close();
  }

  /** @returns false where the disk has none. A promise instead would let the log copy be synced before a small batch is applied */
  private takeRoom(batch: Batch): boolean {
    try {
      this.options.room.database.take(this.writtenBytes(batch), `transaction ${batch.to.txid}`);
      return true;
    } catch (error) {
      if (error instanceof NoRoomError) return false;
      throw error;
    }
  }

  /** With what the SQLite WAL gives back. @throws NoRoomError, when that is not enough */
  private async makeRoom(batch: Batch): Promise<void> {
    await this.care.giveRoom();
    this.options.room.database.take(this.writtenBytes(batch), `transaction ${batch.to.txid}`);
  }

  /** By which a batch lengthens the SQLite WAL, and later the database. */
  private writtenBytes({ pages, from, to }: Batch): number {
    const { pageSizeBytes } = this.position;
    const images = pages === undefined ? this.backlogBytes : pages.size * pageSizeBytes;
    return images + Math.max(0, to.pageCount - from.pageCount) * pageSizeBytes;
  }
}

/** @throws always: {@link Standing.view} gave none, or there is no standing */
export function notExact(): TailraceError {
  return new TailraceError("not_ready", "the replica's database is not at a known state now", {
    retryable: true,
  });
}

/**
 * Whether the copy has whole what leads from the floor to the applied state. It then ends with the last whole fragment: what is
 * behind may be torn after a crash, and is fetched again.
 */
function leadsOn(copy: LogCopy, { floor, applied }: Position): boolean {
  const isWithin =
    compareCursors(copy.start, floor.cursor) <= 0 && compareCursors(applied.cursor, copy.end) <= 0;
  const end = isWithin ? copy.lastWholeFragment(floor.cursor) : copy.start;
  if (!isWithin || compareCursors(end, applied.cursor) < 0) return false;
  copy.truncate(end);
  return true;
}
