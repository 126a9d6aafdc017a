import { statSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { TailraceError } from "../shared/errors.ts";
import { listSegments, segmentPath } from "../shared/log/segment-files.ts";
import { firstSegmentToKeep, isSnapshotDue } from "../shared/plan/retention.ts";
import type { SnapshotInfo } from "../shared/serve/engine.ts";
import type { SnapshotStore } from "../shared/snapshots/snapshot-store.ts";
import { takeSnapshot } from "../shared/snapshots/take-snapshot.ts";
import type { DataFolder } from "../shared/storage/data-folder.ts";
import type { Cursor } from "../shared/units.ts";
import type { Capture } from "./capture.ts";

/** The one being served, and the one that a replica may be fetching still. */
const GENERATIONS_KEPT = 2;
/** After a snapshot that failed: the next attempt would fill the disk again. */
const RETRY_MS = 60_000;

export interface RetentionLimits {
  /** The log is not cut below this size. */
  readonly keepLogBytes: number;
  /** A snapshot is renewed after no less log than this. */
  readonly snapshotAfterBytes: number;
}

export interface SnapshotsOptions {
  readonly capture: Capture;
  readonly folder: DataFolder;
  readonly store: SnapshotStore;
  readonly limits: RetentionLimits;
  /** Unix ms. */
  readonly clock: () => number;
}

/** Snapshots of the present log: made when asked for or due, and with them what of the log may go. */
export class Snapshots {
  private readonly options: SnapshotsOptions;
  private readonly store: SnapshotStore;
  private readonly stopping = new AbortController();
  /** What the last pruning went by. */
  private prunedAt = "";
  private running: Promise<SnapshotInfo> | undefined;
  private lastFailureMs = Number.NEGATIVE_INFINITY;

  constructor(options: SnapshotsOptions) {
    this.options = options;
    this.store = options.store;
  }

  get newest(): SnapshotInfo | undefined {
    return this.store.newest(this.options.capture.meta.logId);
  }

  list(): readonly SnapshotInfo[] {
    return this.store.list();
  }

  /** The newest snapshot, made now when there is none. @throws as {@link take} */
  async latest(): Promise<SnapshotInfo> {
    return this.newest ?? (await this.take());
  }

  /**
   * A new generation, of the state as it is now; during another call, that one's.
   *
   * @throws diverged when the database is not what the log says: the difference is then captured
   */
  take(): Promise<SnapshotInfo> {
    this.running ??= this.make().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Whether the log since the newest snapshot has outgrown it. */
  isDue(): boolean {
    const { newest } = this;
    const { capture, limits } = this.options;
    if (this.running !== undefined || performance.now() - this.lastFailureMs < RETRY_MS) return false;
    return isSnapshotDue({
      logBytesSince: this.logBytesSince(newest?.cursor ?? capture.log.start),
      databaseBytes: capture.log.headPageCount * capture.database.pageSizeBytes,
      hasSnapshot: newest !== undefined,
      ...limits,
    });
  }

  /** Prunes when something has changed that it goes by. */
  pruneIfDue(): void {
    const { log, table } = this.options.capture;
    const now = [log.end.segment, table.mark.cursor.segment, this.newest?.generation].join(" ");
    if (now !== this.prunedAt) this.prune();
    this.prunedAt = now;
  }

  /** Lets go of segments and snapshots that nobody needs. */
  prune(): void {
    const { capture, folder, limits } = this.options;
    const current = this.store.list().filter(({ logId }) => logId === capture.meta.logId);
    const kept = new Set(current.slice(-GENERATIONS_KEPT));
    for (const snapshot of this.store.list().slice(0, -1)) {
      if (!kept.has(snapshot)) this.store.delete(snapshot.generation);
    }
    if (kept.size === 0) return;
    const segments = listSegments(folder.logFolder).map((segment) => ({
      segment,
      sizeBytes: statSync(segmentPath(folder.logFolder, segment)).size,
    }));
    const needed = [...[...kept].map(({ cursor }) => cursor), capture.table.mark.cursor];
    capture.log.dropBefore(firstSegmentToKeep({ segments, needed, keepBytes: limits.keepLogBytes }));
  }

  /** Stops a snapshot that is being made. */
  async close(): Promise<void> {
    this.stopping.abort();
    await this.running?.catch(() => {});
  }

  private async make(): Promise<SnapshotInfo> {
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
      const snapshot = await takeSnapshot(
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
      this.prune();
      return snapshot;
    } catch (error) {
      this.lastFailureMs = performance.now();
      if (error instanceof TailraceError && error.code === "diverged") capture.declareGap(error.message);
      throw error;
    } finally {
      view.close();
    }
  }

  private logBytesSince(cursor: Cursor): number {
    const { end } = this.options.capture.log;
    let sizeBytes = end.offset - cursor.offset;
    for (let segment = cursor.segment; segment < end.segment; segment++) {
      sizeBytes += statSync(segmentPath(this.options.folder.logFolder, segment)).size;
    }
    return sizeBytes;
  }
}
