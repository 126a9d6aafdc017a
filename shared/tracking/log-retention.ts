import { compareCursors } from "../format/cursor.ts";
import { failpoint } from "../failpoint.ts";
import { size } from "../human.ts";
import { SegmentCatalogue } from "../log/segment-catalogue.ts";
import type { SegmentStat } from "../log/segment-catalogue.ts";
import type { Notice } from "../notice.ts";
import { RateMeter } from "../plan/rate-meter.ts";
import { decideRetention, reasonsToKeep } from "../plan/retention.ts";
import type {
  NeededSnapshot,
  RetentionDecision,
  RetentionLimits,
  RetentionState,
} from "../plan/retention.ts";
import type { Sighting } from "../serve/engine.ts";
import type { LogStatus, ReplicaStatus, SegmentStatus } from "../status.ts";
import { systemCode } from "../storage/storage-error.ts";
import type { Cursor, Txid } from "../units.ts";
import type { LogExtent, ReplicaTracker } from "./replica-tracker.ts";

/** What is known of replicas is as old as this: before one is given up, its next word is waited for. */
const LAST_WORD_MS = 2_000;
/** An overfull disk is what dropping helps against: that the tracking cannot be written first is no reason not to. */
const NO_SPACE = new Set(["ENOSPC", "EDQUOT"]);

/** A log on this node's disk, its own or a copy. */
export interface RetainedLog {
  readonly logId: string;
  readonly start: Cursor;
  /** The end of what is shown to replicas. */
  readonly end: Cursor;
  readonly headTxid: Txid;
  readonly headCommitTimeMs: number | null;
  /** Removes the segments before the given one, oldest first, each durably gone before the next. */
  dropBefore(segment: number): void;
}

export interface LogRetentionOptions {
  readonly log: RetainedLog;
  /** Where its segments are. */
  readonly folder: string;
  readonly tracker: ReplicaTracker;
  readonly limits: RetentionLimits;
  /** Those that are kept and belong to this log. */
  readonly snapshots: () => readonly NeededSnapshot[];
  /** From where the database would be repaired. */
  readonly recovery: () => Cursor;
  /** Unix ms. */
  readonly clock: () => number;
  readonly notify: (notice: Notice) => void;
  readonly stat?: SegmentStat;
}

/**
 * Keeps a log as long as it is needed, and no longer. The decision is retention.ts's; here are the files:
 *
 *   tracking on disk → oldest segment gone, durably → next …
 *
 * so that after a crash at any point the log is without holes, and no replica seems lost that is not.
 */
export class LogRetention {
  limits: RetentionLimits;
  private readonly options: LogRetentionOptions;
  private readonly catalogue: SegmentCatalogue;
  private readonly bytes: RateMeter = new RateMeter();
  private readonly commits: RateMeter = new RateMeter();
  /** Log bytes since this began. */
  private writtenBytes = 0;
  /** Since when somebody is to be given up. */
  private givingUpSinceMs: number | undefined;

  constructor(options: LogRetentionOptions) {
    this.options = options;
    this.limits = options.limits;
    this.catalogue = new SegmentCatalogue(options);
    const { log, tracker } = options;
    this.catalogue.update(log.start, log.end);
    tracker.follow(log);
    tracker.headChanged({ txid: log.headTxid, commitTimeMs: log.headCommitTimeMs, end: log.end });
    this.measure();
  }

  /** What the server has seen of replicas. */
  report(sightings: readonly Sighting[]): void {
    if (sightings.length > 0) this.options.tracker.report(sightings, this.extent());
  }

  /** Drops what may go. Cheap where nothing has changed: a few comparisons a replica. To be called about every second. */
  upkeep(): RetentionDecision {
    const { tracker, log, clock } = this.options;
    const extent = this.extent();
    this.measure();
    tracker.tick(extent);
    const decision = decideRetention(this.state());
    const nowMs = clock();
    this.givingUpSinceMs = decision.lost.length === 0 ? undefined : (this.givingUpSinceMs ?? nowMs);
    const waitedMs = nowMs - (this.givingUpSinceMs ?? nowMs);
    if (decision.lost.length > 0 && waitedMs >= 0 && waitedMs < LAST_WORD_MS) {
      tracker.settle({ ...decision, lost: [] }, extent);
      return decision;
    }
    tracker.settle(decision, extent);
    if (decision.firstToKeep > log.start.segment && this.isTrackingSaved()) {
      this.drop(decision.firstToKeep);
    }
    return decision;
  }

  replicas(): ReplicaStatus[] {
    return this.options.tracker.list(this.extent());
  }

  /** @throws replica_unknown */
  forget(id: string): ReplicaStatus {
    return this.options.tracker.forget(id, this.extent());
  }

  /** The files of the log, and why each is kept. */
  segments(): SegmentStatus[] {
    this.extent();
    const segments = this.catalogue.list();
    const reasons = reasonsToKeep(this.state());
    return segments.map(({ segment, sizeBytes, modifiedMs }, index) => ({
      segment,
      sizeBytes,
      isSealed: index < segments.length - 1,
      modifiedMs: Math.round(modifiedMs),
      keptFor: reasons[index]!,
    }));
  }

  /** Log bytes from a place to the end; null where that part is gone. */
  bytesAfter(cursor: Cursor): number | null {
    return this.extent().catalogue.bytesAfter(cursor);
  }

  get sizeBytes(): number {
    return this.extent().catalogue.sizeBytes;
  }

  /** Its part of the log's status. */
  status(): Pick<
    LogStatus,
    | "sizeBytes"
    | "segmentCount"
    | "bytesPerSecond"
    | "commitsPerSecond"
    | "keepBytes"
    | "keepMs"
    | "maxBytes"
    | "holdInactiveMs"
  > {
    const { catalogue, limits } = this.extent();
    const { keepBytes, keepMs, maxBytes, holdInactiveMs } = limits;
    return {
      sizeBytes: catalogue.sizeBytes,
      segmentCount: catalogue.list().length,
      bytesPerSecond: this.bytes.perSecond,
      commitsPerSecond: this.commits.perSecond,
      keepBytes,
      keepMs,
      maxBytes,
      holdInactiveMs,
    };
  }

  /** The log as it is now. */
  private extent(): LogExtent {
    const { log } = this.options;
    const { catalogue, limits } = this;
    const before = catalogue.end;
    catalogue.update(log.start, log.end);
    if (compareCursors(before, log.end) < 0) this.writtenBytes += catalogue.bytesAfter(before) ?? 0;
    return { catalogue, limits };
  }

  private state(): RetentionState {
    const { tracker, snapshots, recovery, clock } = this.options;
    return {
      segments: this.catalogue.list(),
      snapshots: snapshots(),
      recovery: recovery(),
      replicas: tracker.held(),
      limits: this.limits,
      nowMs: clock(),
    };
  }

  private measure(): void {
    const nowMs = this.options.clock();
    this.bytes.note(this.writtenBytes, nowMs);
    this.commits.note(this.options.log.headTxid, nowMs);
  }

  private isTrackingSaved(): boolean {
    try {
      this.options.tracker.flush();
    } catch (error) {
      // Told by the tracker, which tries it again; what is to go, goes then.
      const cause = (error as { cause?: unknown }).cause ?? error;
      return NO_SPACE.has(systemCode(cause) ?? "");
    }
    failpoint("retention.tracked");
    return true;
  }

  private drop(firstToKeep: number): void {
    const { log, notify } = this.options;
    const from = log.start.segment;
    const beforeBytes = this.catalogue.sizeBytes;
    log.dropBefore(firstToKeep);
    failpoint("retention.dropped");
    this.extent();
    const droppedBytes = beforeBytes - this.catalogue.sizeBytes;
    const count = log.start.segment - from;
    if (count === 0) return;
    notify({
      level: "debug",
      name: "log_trimmed",
      text: `${count} segments of the log, ${size(droppedBytes)}, are gone; it begins with segment ${log.start.segment}`,
      fields: { firstSegment: log.start.segment, segments: count, droppedBytes },
    });
  }
}
