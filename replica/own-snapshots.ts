import { TailraceError, asTailraceError } from "../shared/errors.ts";
import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Notice } from "../shared/notice.ts";
import { generationsToDelete, isOutgrown } from "../shared/plan/snapshot-policy.ts";
import type { SnapshotInfo } from "../shared/serve/engine.ts";
import { snapshotFailed, snapshotTaken } from "../shared/snapshots/snapshot-notices.ts";
import { SnapshotStore } from "../shared/snapshots/snapshot-store.ts";
import { takeSnapshot } from "../shared/snapshots/take-snapshot.ts";
import type { Cursor } from "../shared/units.ts";
import type { LocalReplica } from "./local-replica.ts";

/** A state to take a snapshot of is looked for again so often: in the midst of a batch there is none. */
const MAX_VIEW_TRIES = 500;
const VIEW_PAUSE_MS = 20;

export interface OwnSnapshotsOptions {
  readonly folder: string;
  readonly local: Pick<LocalReplica, "position" | "view">;
  /** Log bytes from a place to the end; null where that part is gone. */
  readonly logBytesAfter: (cursor: Cursor) => number | null;
  /** Unix ms. */
  readonly wallMs: () => number;
  /** Never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly tell: (notice: Notice) => void;
  /** Monotonic. */
  readonly monotonicMs: () => number;
  readonly metrics: ReplicaEngineMetrics;
}

/** Snapshots of the replica's own database, for those that it feeds: taken when one asks. */
export class OwnSnapshots {
  /** As many generations are kept, beside those being downloaded. */
  keepSnapshots: number;
  private readonly options: OwnSnapshotsOptions;
  private readonly store: SnapshotStore;
  private readonly closing = new AbortController();
  private taking: Promise<SnapshotInfo> | undefined;
  private held: readonly number[] = [];
  /** Since when one is being taken, Unix ms. */
  sinceMs: number | null = null;

  /** @throws storage_failed, unknown_version */
  constructor(options: OwnSnapshotsOptions, keepSnapshots: number) {
    this.options = options;
    this.keepSnapshots = keepSnapshots;
    this.store = SnapshotStore.open(options.folder);
  }

  /** Of the present log, oldest first. */
  list(): readonly SnapshotInfo[] {
    const logId = this.options.local.position?.logId;
    return this.store.list().filter((snapshot) => snapshot.logId === logId);
  }

  /** Those whose log has to be kept: somebody downloads them, or they are what a newcomer would be given. */
  needed(): readonly SnapshotInfo[] {
    return this.list().filter(
      (snapshot) => this.held.includes(snapshot.generation) || !this.isOutgrown(snapshot),
    );
  }

  /** For a newcomer: the newest, unless the log after it is longer than a new one would be, or is gone. @throws not_ready */
  async latest(): Promise<SnapshotInfo> {
    this.store.forgetMissing();
    const newest = this.list().at(-1);
    if (newest !== undefined && !this.isOutgrown(newest)) return newest;
    return await this.take();
  }

  /** A new generation; during another such call, that one's. @throws not_ready, diverged, storage_failed */
  take(): Promise<SnapshotInfo> {
    this.taking ??= this.make().finally(() => {
      this.taking = undefined;
      this.sinceMs = null;
    });
    return this.taking;
  }

  /** These are being downloaded, or were until just now. */
  hold(generations: readonly number[]): void {
    this.held = generations;
  }

  /** Lets go of generations that nobody needs. @throws storage_failed */
  prune(): void {
    this.store.forgetMissing();
    const logId = this.options.local.position?.logId;
    if (logId === undefined) return;
    for (const generation of generationsToDelete(this.store.list(), logId, this, this.held))
      this.store.delete(generation);
  }

  /** What fails here is tried again, and told, by the next look at it: the new one is there. */
  private tryPrune(): void {
    try {
      this.prune();
    } catch {}
  }

  /** Stops one that is being taken. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.taking?.catch(() => undefined);
  }

  private isOutgrown({ cursor, pageCount, pageSizeBytes, epoch }: SnapshotInfo): boolean {
    // Whoever has seen the present one would refuse it.
    if (epoch < (this.options.local.position?.epoch ?? 0)) return true;
    const logBytesAfter = this.options.logBytesAfter(cursor);
    return isOutgrown({ logBytesAfter, snapshotBytes: pageCount * pageSizeBytes });
  }

  private async make(): Promise<SnapshotInfo> {
    const { tell, wallMs, monotonicMs, metrics } = this.options;
    this.sinceMs = wallMs();
    const startMs = monotonicMs();
    const { view, position } = await this.view();
    try {
      const { applied, logId, epoch } = position;
      const snapshot = await takeSnapshot(
        this.store,
        {
          view,
          txid: applied.txid,
          databaseChecksum: applied.checksum,
          cursor: applied.cursor,
          logId,
          epoch,
          createdMs: wallMs(),
        },
        this.closing.signal,
      );
      const tookMs = monotonicMs() - startMs;
      metrics.snapshotSeconds.observe(tookMs / 1000);
      this.tryPrune();
      tell(snapshotTaken(snapshot, tookMs));
      return snapshot;
    } catch (thrown) {
      const error = asTailraceError(thrown);
      if (error.code !== "closed") {
        metrics.snapshotFailures.inc();
        tell(snapshotFailed(error, null));
      }
      throw thrown;
    } finally {
      view.close();
    }
  }

  private async view(): Promise<ReturnType<LocalReplica["view"]>> {
    const { local, sleep } = this.options;
    for (let tries = 1; ; tries++) {
      if (this.closing.signal.aborted) throw new TailraceError("closed", "the replica is closing");
      try {
        return local.view();
      } catch (error) {
        if (!asTailraceError(error).retryable || tries === MAX_VIEW_TRIES) throw error;
      }
      await sleep(VIEW_PAUSE_MS, this.closing.signal);
    }
  }
}
