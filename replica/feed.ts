import type { ErrorData } from "../shared/errors.ts";
import { SegmentCatalogue } from "../shared/log/segment-catalogue.ts";
import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Notice } from "../shared/notice.ts";
import { RateMeter } from "../shared/plan/rate-meter.ts";
import { decideRetention, reasonsToKeep } from "../shared/plan/retention.ts";
import type { RetentionState } from "../shared/plan/retention.ts";
import type { NodeHead, ServeReport, SnapshotInfo } from "../shared/serve/engine.ts";
import type { LogStatus, ReplicaStatus, SegmentStatus, SnapshotStatus } from "../shared/status.ts";
import type { DiskSpace } from "../shared/storage/disk-space.ts";
import { compareCursors } from "../shared/format/cursor.ts";
import type { Cursor } from "../shared/units.ts";
import { logGivenUp } from "../shared/tracking/announcements.ts";
import type { LogExtent } from "../shared/tracking/log-extent.ts";
import { ReplicaTracker } from "../shared/tracking/replica-tracker.ts";
import { UpkeepTroubles } from "../shared/upkeep-troubles.ts";
import { FEED_DEFAULTS } from "./follow-options.ts";
import type { FeedLimits } from "./follow-options.ts";
import type { FeedStatus } from "./follower-status.ts";
import type { LocalReplica } from "./local-replica.ts";
import { OwnSnapshots } from "./own-snapshots.ts";

export interface FeedOptions {
  readonly local: LocalReplica;
  readonly logFolder: string;
  readonly snapshotsFolder: string;
  /** What is known of those that are fed. */
  readonly replicasFile: string;
  readonly durability: LogStatus["durability"];
  readonly limits: FeedLimits;
  /** Log bytes received since the start. */
  readonly receivedBytes: () => number;
  /** Unix ms. */
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
  /** The primary's clock, Unix ms; null where it is not known. */
  readonly primaryNowMs: () => number | null;
  /** As of when, by that clock, everything is applied here; null where it is not known. */
  readonly freshAsOfMs: () => number | null;
  /** Resolves early when the signal says so; never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Of the data folder; null where it cannot be told. */
  readonly disk: () => DiskSpace | null;
  readonly tell: (notice: Notice) => void;
  /** What goes wrong beside following. */
  readonly onError: (error: ErrorData) => void;
  readonly metrics: ReplicaEngineMetrics;
}

/** The generation under which the present state is held: a newcomer can be given a snapshot of it at any time. */
const PRESENT = 0;

/**
 * What a replica keeps for those that it feeds: its copy of the log, within limits, and snapshots of its database. By the
 * same decisions as on the primary, but that no snapshot is ever needed to go on: a new one can be taken when one asks.
 */
export class Feed {
  private readonly options: FeedOptions;
  private readonly snapshots: OwnSnapshots;
  private catalogue: SegmentCatalogue;
  private readonly tracker: ReplicaTracker;
  private limits: Required<FeedLimits>;
  private head: NodeHead | undefined;
  private bytes = new RateMeter();
  private commits = new RateMeter();
  private held: readonly number[] = [];
  private isCheckpointing = false;
  /** To the end of its segment, the log is given up, as soon as this replica does not need it. */
  private damage: Cursor | null = null;
  private readonly upkeep: UpkeepTroubles;

  /** @throws storage_failed, unknown_version */
  constructor(options: FeedOptions) {
    const { logFolder, snapshotsFolder, replicasFile, wallMs, primaryNowMs, freshAsOfMs, tell } = options;
    this.options = options;
    this.limits = withGiven(FEED_DEFAULTS, options.limits);
    this.upkeep = new UpkeepTroubles({ clock: wallMs, notify: tell, onError: options.onError });
    this.catalogue = new SegmentCatalogue({ folder: logFolder, clock: wallMs });
    const logBytesAfter: SegmentCatalogue["bytesAfter"] = (cursor) => this.bytesAfter(cursor);
    this.snapshots = new OwnSnapshots(
      { ...options, folder: snapshotsFolder, logBytesAfter },
      this.limits.keepSnapshots,
    );
    this.tracker = ReplicaTracker.open({
      file: replicasFile,
      clock: wallMs,
      commitClock: primaryNowMs,
      headFreshAsOfMs: freshAsOfMs,
      notify: tell,
    });
  }

  /** Other limits from now on. What is not given stays as it is. */
  configure(limits: FeedLimits): void {
    this.limits = withGiven(this.limits, limits);
    this.snapshots.keepSnapshots = this.limits.keepSnapshots;
  }

  /** The log goes up to here now, for others too. */
  settled(head: NodeHead): void {
    const { logId, txid, commitTimeMs, start, end } = head;
    // A primary that has lost the end of its log takes those that follow it back with it.
    if (this.head?.logId !== logId || txid < this.head.txid) {
      this.bytes = new RateMeter();
      this.commits = new RateMeter();
      const { logFolder: folder, wallMs: clock } = this.options;
      this.catalogue = new SegmentCatalogue({ folder, clock });
      this.damage = null;
      this.tracker.follow({ logId, headTxid: txid, headCommitTimeMs: commitTimeMs, start });
    }
    this.head = head;
    this.catalogue.update(start, end);
    if (this.damage !== null && compareCursors(start, this.damage) > 0) this.damage = null;
    this.tracker.headChanged({ txid, commitTimeMs, end });
  }

  report({ sightings, heldGenerations }: ServeReport): void {
    this.held = heldGenerations;
    this.snapshots.hold(heldGenerations);
    this.tracker.report(sightings, this.extent());
  }

  /** What is due: to be called about every second. What goes wrong is told, and tried again. */
  tend(): void {
    const { head } = this;
    const { monotonicMs, receivedBytes } = this.options;
    if (head === undefined) return;
    this.bytes.note(receivedBytes(), monotonicMs());
    this.commits.note(head.txid, monotonicMs());
    this.tracker.tick(this.extent());
    this.upkeep.try("pruning", () => this.snapshots.prune());
    this.upkeep.try("retention", () => this.letGo(head));
  }

  /** Of what nobody needs. @throws storage_failed */
  private letGo(head: NodeHead): void {
    const { local } = this.options;
    const state = this.retention();
    if (state === undefined) return;
    const decision = decideRetention(state);
    if (decision.heldPastLimitBy === "recovery") void this.bringUpToDate();
    if (!this.tracker.settle(decision, this.extent())) return;
    local.dropLogBefore(decision.firstToKeep);
    this.catalogue.update(local.logStart ?? head.start, head.end);
  }

  /** What this replica itself would need the log for after a crash: a checkpoint makes it less, as far as readers permit. */
  private async bringUpToDate(): Promise<void> {
    if (this.isCheckpointing) return;
    this.isCheckpointing = true;
    try {
      await this.options.local.checkpoint();
      this.upkeep.passed("checkpoint");
    } catch (error) {
      this.upkeep.failed("checkpoint", error);
    } finally {
      this.isCheckpointing = false;
    }
  }

  /** The log is damaged there: this segment and all before it goes, as soon as this replica does not need it. */
  giveUpThrough(damage: Cursor): void {
    const { segment } = damage;
    if (segment <= (this.damagedThrough ?? 0) || segment < (this.head?.start.segment ?? 0)) return;
    this.damage = damage;
    this.options.tell(logGivenUp(segment));
  }

  /** Log bytes in the copy. */
  get logBytes(): number {
    return this.catalogue.sizeBytes;
  }

  status(): FeedStatus {
    return {
      log: this.log(),
      snapshots: this.snapshots.list().map((snapshot) => this.snapshotStatus(snapshot)),
      snapshotSinceMs: this.snapshots.sinceMs,
      upkeepTroubles: this.upkeep.list,
      replicas: this.tracker.list(this.extent()),
      replicasLost: this.tracker.lostCount,
      replicasReleased: this.tracker.releasedCount,
    };
  }

  /** The files of the log, in order. */
  segments(): readonly SegmentStatus[] {
    if (this.head === undefined) return [];
    const state = this.retention();
    const reasons = state && reasonsToKeep(state);
    const segments = this.catalogue.list();
    const newest = segments.at(-1)?.segment;
    return segments.map(({ segment, sizeBytes, modifiedMs }, index) => ({
      segment,
      sizeBytes,
      isSealed: segment !== newest,
      modifiedMs,
      // Until it is known what the replica itself needs, all of it is kept for that.
      keptFor: reasons?.[index]!.filter((reason) => reason !== `snapshot ${PRESENT}`) ?? ["recovery"],
    }));
  }

  /** For a newcomer. @throws not_ready, diverged, storage_failed */
  snapshot(): Promise<SnapshotInfo> {
    return this.snapshots.latest();
  }

  /** A new generation, whatever there is. @throws not_ready, diverged, storage_failed */
  takeSnapshot(): Promise<SnapshotInfo> {
    return this.snapshots.take();
  }

  /** Lets go of one that is fed. @throws replica_unknown */
  forget(id: string): ReplicaStatus {
    return this.tracker.forget(id, this.extent());
  }

  async close(): Promise<void> {
    await this.snapshots.close();
    this.tracker.close();
  }

  /** Null where that part is gone, or given up. */
  private bytesAfter(cursor: Cursor): number | null {
    return cursor.segment <= (this.damagedThrough ?? 0) ? null : this.catalogue.bytesAfter(cursor);
  }

  private get damagedThrough(): number | null {
    return this.damage?.segment ?? null;
  }

  private extent(): LogExtent {
    const { keepLogBytes: keepBytes, maxLogBytes: maxBytes, holdInactiveMs } = this.limits;
    const { catalogue, damagedThrough } = this;
    return { catalogue, limits: { keepBytes, keepMs: 0, maxBytes, holdInactiveMs }, damagedThrough };
  }

  /** Undefined while it is not known what the replica itself needs: then nothing goes. */
  private retention(): RetentionState | undefined {
    const { recovery } = this.options.local;
    if (this.head === undefined || recovery === undefined) return undefined;
    return {
      segments: this.catalogue.list(),
      snapshots: [...this.snapshots.needed(), { generation: PRESENT, cursor: this.head.end }],
      recovery,
      replicas: this.tracker.held(),
      damagedThrough: this.damagedThrough,
      limits: this.extent().limits,
      nowMs: this.options.wallMs(),
    };
  }

  private log(): LogStatus | null {
    const { head, catalogue, limits } = this;
    if (head === undefined) return null;
    const disk = this.options.disk();
    return {
      logId: head.logId,
      epoch: head.epoch,
      pageSizeBytes: head.pageSizeBytes,
      start: head.start,
      end: head.end,
      headTxid: head.txid,
      headTimeMs: head.commitTimeMs,
      databaseChecksum: head.databaseChecksum,
      durability: this.options.durability,
      sizeBytes: catalogue.sizeBytes,
      segmentCount: catalogue.list().length,
      bytesPerSecond: this.bytes.perSecond,
      commitsPerSecond: this.commits.perSecond,
      keepBytes: limits.keepLogBytes,
      keepMs: 0,
      maxBytes: limits.maxLogBytes,
      holdInactiveMs: limits.holdInactiveMs,
      damagedThrough: this.damagedThrough,
      diskFreeBytes: disk?.freeBytes ?? null,
      diskSizeBytes: disk?.sizeBytes ?? null,
    };
  }

  private snapshotStatus(snapshot: SnapshotInfo): SnapshotStatus {
    const { generation, txid, createdMs, pageCount, pageSizeBytes, databaseChecksum, cursor } = snapshot;
    return {
      generation,
      txid,
      createdMs,
      sizeBytes: pageCount * pageSizeBytes,
      databaseChecksum,
      cursor,
      logBytesAfter: this.bytesAfter(cursor),
      downloads: this.held.includes(generation) ? 1 : 0,
    };
  }
}

/** Only what belongs here is taken, and only what is given: null is a limit of its own. */
function withGiven(before: Required<FeedLimits>, given: FeedLimits): Required<FeedLimits> {
  const { keepLogBytes, maxLogBytes, holdInactiveMs, keepSnapshots } = given;
  return {
    keepLogBytes: keepLogBytes ?? before.keepLogBytes,
    maxLogBytes: maxLogBytes === undefined ? before.maxLogBytes : maxLogBytes,
    holdInactiveMs: holdInactiveMs ?? before.holdInactiveMs,
    keepSnapshots: keepSnapshots ?? before.keepSnapshots,
  };
}
