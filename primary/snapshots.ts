import { performance } from "node:perf_hooks";
import { TailraceError, asTailraceError } from "../shared/errors.ts";
import type { PrimaryEngineMetrics } from "../shared/metrics/primary-engine.ts";
import type { Notice } from "../shared/notice.ts";
import type { NeededSnapshot } from "../shared/plan/retention.ts";
import { generationsToDelete, isOutgrown, snapshotDue } from "../shared/plan/snapshot-policy.ts";
import type { SnapshotPolicy } from "../shared/plan/snapshot-policy.ts";
import type { SnapshotInfo } from "../shared/serve/engine.ts";
import type { SnapshotStatus } from "../shared/status.ts";
import { snapshotFailed, snapshotTaken } from "../shared/snapshots/snapshot-notices.ts";
import type { SnapshotStore } from "../shared/snapshots/snapshot-store.ts";
import { takeSnapshot } from "../shared/snapshots/take-snapshot.ts";
import type { Cursor } from "../shared/units.ts";
import type { Capture } from "./capture.ts";

/** After a snapshot that failed: the next attempt would fill the disk again. */
const RETRY_MS = 60_000;

export interface SnapshotsOptions {
  readonly capture: Capture;
  readonly store: SnapshotStore;
  readonly policy: SnapshotPolicy;
  /** Log bytes from a place to the end; null where that part is gone. */
  readonly logBytesAfter: (cursor: Cursor) => number | null;
  readonly notify: (notice: Notice) => void;
  readonly metrics: PrimaryEngineMetrics;
  /** Unix ms. */
  readonly clock: () => number;
}

/** The log, as far as snapshots depend on it. */
export interface LogPressure {
  readonly logBytes: number;
  readonly keepLogBytes: number;
  /** The log is past its most, and the newest snapshot, or the lack of one, holds it there. */
  readonly isHoldingLog: boolean;
}

/** Snapshots of the present log: made when asked for or due, deleted when nobody needs them. */
export class Snapshots {
  policy: SnapshotPolicy;
  private readonly options: SnapshotsOptions;
  private readonly store: SnapshotStore;
  private readonly stopping = new AbortController();
  /** Generations that are being downloaded: one for each download. */
  private held: readonly number[] = [];
  private running: Promise<SnapshotInfo> | undefined;
  private startedMs: number | null = null;
  private lastFailureMs = Number.NEGATIVE_INFINITY;

  constructor(options: SnapshotsOptions) {
    this.options = options;
    this.store = options.store;
    this.policy = options.policy;
  }

  /** Since when one is being made, Unix ms. */
  get sinceMs(): number | null {
    return this.startedMs;
  }

  /** Those of the present log, by which somebody may begin to follow it. */
  needed(): readonly NeededSnapshot[] {
    return this.ofThisLog().map(({ generation, cursor }) => ({ generation, cursor }));
  }

  status(): SnapshotStatus[] {
    const { logId } = this.options.capture.meta;
    return this.store.list().map((snapshot) => ({
      generation: snapshot.generation,
      txid: snapshot.txid,
      createdMs: snapshot.createdMs,
      sizeBytes: snapshot.pageCount * snapshot.pageSizeBytes,
      databaseChecksum: snapshot.databaseChecksum,
      cursor: snapshot.cursor,
      logBytesAfter: snapshot.logId === logId ? this.options.logBytesAfter(snapshot.cursor) : null,
      downloads: this.held.filter((generation) => generation === snapshot.generation).length,
    }));
  }

  /** These are being downloaded: they stay, and the log from them on, up to the most that it may have. */
  hold(generations: readonly number[]): void {
    this.held = generations;
  }

  /**
   * For a newcomer: the newest, unless the log after it is longer than it; then, or where there is none, a new
   * one. Where that fails, or has just failed, the newest all the same if the log leads on from it.
   *
   * @throws as {@link take}
   */
  async latest(): Promise<SnapshotInfo> {
    this.store.forgetMissing();
    // One that is under way may show a state of long before this call: whether it will do is seen when it is there.
    if (this.isOutgrown(this.newest)) await this.running?.catch(() => {});
    const { newest } = this;
    if (newest !== undefined && !this.isOutgrown(newest)) return newest;
    const doesLogLeadOn = newest !== undefined && this.options.logBytesAfter(newest.cursor) !== null;
    // Each try would fill the disk again that the log needs.
    if (doesLogLeadOn && this.hasJustFailed) return newest;
    try {
      return await this.take();
    } catch (error) {
      if (doesLogLeadOn) return newest;
      throw error;
    }
  }

  /**
   * A new generation, of the state as it is now; during another call, that one's.
   *
   * @throws diverged when the database is not what the log says: the difference is then captured
   */
  take(): Promise<SnapshotInfo> {
    this.running ??= this.make().finally(() => {
      this.running = undefined;
      this.startedMs = null;
    });
    return this.running;
  }

  /** Whether one is to be made unasked. */
  isDue(pressure: LogPressure): boolean {
    const { capture, logBytesAfter, clock } = this.options;
    if (this.running !== undefined || this.hasJustFailed) return false;
    const { newest } = this;
    const reason = snapshotDue({
      ...pressure,
      newest: newest && {
        createdMs: newest.createdMs,
        txid: newest.txid,
        logBytesAfter: logBytesAfter(newest.cursor) ?? pressure.logBytes,
      },
      headTxid: capture.log.headTxid,
      databaseBytes: this.databaseBytes,
      policy: this.policy,
      nowMs: clock(),
    });
    return reason !== undefined;
  }

  /** Deletes what nobody needs. @throws storage_failed */
  prune(): void {
    this.store.forgetMissing();
    const { logId } = this.options.capture.meta;
    const generations = generationsToDelete(this.store.list(), logId, this.policy, this.held);
    for (const generation of generations) this.store.delete(generation);
  }

  /** What fails here is tried again, and told, by upkeep: the new one is there. */
  private tryPrune(): void {
    try {
      this.prune();
    } catch {}
  }

  /** Stops a snapshot that is being made. */
  async close(): Promise<void> {
    this.stopping.abort();
    await this.running?.catch(() => {});
  }

  private get hasJustFailed(): boolean {
    return performance.now() - this.lastFailureMs < RETRY_MS;
  }

  private get databaseBytes(): number {
    const { log, database } = this.options.capture;
    return log.headPageCount * database.pageSizeBytes;
  }

  private get newest(): SnapshotInfo | undefined {
    return this.ofThisLog().at(-1);
  }

  /** Whether a newcomer would fetch too much log after it, if there is one. */
  private isOutgrown(snapshot: SnapshotInfo | undefined): boolean {
    if (snapshot === undefined) return true;
    // From before a takeover: whoever has seen the present epoch refuses it.
    if (snapshot.epoch < this.options.capture.meta.epoch) return true;
    const snapshotBytes = snapshot.pageCount * snapshot.pageSizeBytes;
    return isOutgrown({ logBytesAfter: this.options.logBytesAfter(snapshot.cursor), snapshotBytes });
  }

  private ofThisLog(): readonly SnapshotInfo[] {
    const { logId } = this.options.capture.meta;
    return this.store.list().filter((snapshot) => snapshot.logId === logId);
  }

  private async make(): Promise<SnapshotInfo> {
    const { clock, capture } = this.options;
    const begunMs = performance.now();
    this.startedMs = clock();
    try {
      const snapshot = await this.copy();
      this.announce(snapshot, performance.now() - begunMs);
      this.tryPrune();
      return snapshot;
    } catch (error) {
      this.lastFailureMs = performance.now();
      const failure = asTailraceError(error);
      // A stop is no failure of the snapshot.
      if (failure.code !== "closed") this.announceFailure(failure);
      if (failure.code === "diverged") capture.declareGap(failure.message);
      throw error;
    }
  }

  private async copy(): Promise<SnapshotInfo> {
    const { capture, clock } = this.options;
    const view = capture.openView();
    if (view === undefined) {
      throw new TailraceError("not_ready", "pages are being compared; the snapshot comes after that", {
        retryable: true,
      });
    }
    try {
      // Nobody may come by a state that the log could lose again.
      capture.sync();
      const { log, table, meta } = capture;
      return await takeSnapshot(
        this.store,
        {
          view,
          txid: log.headTxid,
          databaseChecksum: table.checksum,
          cursor: log.end,
          logId: meta.logId,
          epoch: meta.epoch,
          createdMs: clock(),
        },
        this.stopping.signal,
      );
    } finally {
      view.close();
    }
  }

  private announce(snapshot: SnapshotInfo, tookMs: number): void {
    this.options.metrics.snapshotSeconds.observe(tookMs / 1000);
    this.options.notify(snapshotTaken(snapshot, tookMs));
  }

  private announceFailure(error: TailraceError): void {
    this.options.metrics.snapshotFailures.inc();
    this.options.notify(snapshotFailed(error, RETRY_MS));
  }
}
