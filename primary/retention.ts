import { performance } from "node:perf_hooks";
import { compareCursors } from "../shared/format/cursor.ts";
import { failpoint } from "../shared/failpoint.ts";
import { counted, size } from "../shared/human.ts";
import { SegmentCatalogue } from "../shared/log/segment-catalogue.ts";
import type { SegmentStat } from "../shared/log/segment-catalogue.ts";
import { notice } from "../shared/notice.ts";
import type { Notice } from "../shared/notice.ts";
import { RateMeter } from "../shared/plan/rate-meter.ts";
import { decideRetention, reasonsToKeep } from "../shared/plan/retention.ts";
import type {
  NeededSnapshot,
  RetentionDecision,
  RetentionLimits,
  RetentionState,
} from "../shared/plan/retention.ts";
import type { Sighting } from "../shared/serve/engine.ts";
import type { LogStatus, ReplicaStatus, SegmentStatus } from "../shared/status.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import type { CaptureLimits } from "./capture-options.ts";
import type { Capture } from "./capture.ts";
import { logGivenUp } from "../shared/tracking/announcements.ts";
import type { LogExtent } from "../shared/tracking/log-extent.ts";
import type { ReplicaTracker } from "../shared/tracking/replica-tracker.ts";

/** The pause after an upkeep, in its own length; but waiting for a disk is no work. */
const PAUSE_FACTOR = 100;
const MAX_PAUSE_MS = 1_000;

/** Of the most that the log may have: recovery alone must not hold more. A checkpoint is due then. */
const RECOVERY_PART = 1 / 4;

/** The log, as far as it is kept. */
export interface RetainedLog {
  readonly logId: string;
  readonly start: Cursor;
  /** The end of what is shown to replicas. */
  readonly end: Cursor;
  readonly headTxid: Txid;
  readonly headCommitTimeMs: number | null;
  /** Removes the segments before the given one, oldest first, each durably gone before the next. */
  dropBefore(segment: number): void;
  /** Begins a new segment. @throws storage_failed */
  seal(): void;
}

/** The capture's log. */
export function retainedLog({ log, meta }: Capture): RetainedLog {
  return {
    logId: meta.logId,
    get start() {
      return log.start;
    },
    get end() {
      return log.durableEnd;
    },
    get headTxid() {
      return log.headTxid;
    },
    get headCommitTimeMs() {
      return log.headCommitTimeMs;
    },
    dropBefore: (segment) => log.dropBefore(segment),
    seal: () => log.seal(),
  };
}

export function retentionLimits(limits: CaptureLimits): RetentionLimits {
  const { keepLogBytes, keepLogMs, maxLogBytes, holdInactiveMs } = limits;
  return { keepBytes: keepLogBytes, keepMs: keepLogMs, maxBytes: maxLogBytes, holdInactiveMs };
}

export interface RetentionOptions {
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
  /** The log ends in another segment, though nothing was appended. */
  readonly onSealed: () => void;
  readonly stat?: SegmentStat;
}

/**
 * Keeps a log as long as it is needed, and no longer. The decision is retention.ts's; here are the files:
 *
 *   tracking on disk → oldest segment gone, durably → next …
 *
 * so that after a crash at any point the log is without holes, and no replica seems lost that is not.
 */
export class Retention {
  limits: RetentionLimits;
  private readonly options: RetentionOptions;
  private readonly catalogue: SegmentCatalogue;
  private readonly bytes: RateMeter = new RateMeter();
  private readonly commits: RateMeter = new RateMeter();
  /** Log bytes since this began. */
  private writtenBytes = 0;
  private isRecoveryFarBack = false;
  /** Up to the end of this segment, the log is given up for a damage in it, as soon as nobody could need it any more. */
  private damagedThrough: number | null = null;
  private decided: RetentionDecision | undefined;
  /** The newest snapshot that was decided with: with a newer one, which may be there before the next decision, none is due. */
  private decidedGeneration: number | undefined;
  private nextMs = 0;

  constructor(options: RetentionOptions) {
    this.options = options;
    this.limits = options.limits;
    this.catalogue = new SegmentCatalogue(options);
    const { log, tracker } = options;
    this.catalogue.update(log.start, log.end);
    tracker.follow(log);
    this.headChanged();
    this.measure();
  }

  /** What the server has seen of replicas. */
  report(sightings: readonly Sighting[]): void {
    if (sightings.length > 0) this.options.tracker.report(sightings, this.extent());
  }

  /** The log is past its most, and the newest snapshot, or the lack of one, holds it there. */
  get needsSnapshot(): boolean {
    return this.decided?.heldPastLimitBy === "snapshot" && this.newestGeneration === this.decidedGeneration;
  }

  /** Recovery holds much of the log: what it starts from should be brought up to date. */
  get needsCheckpoint(): boolean {
    return this.decided?.heldPastLimitBy === "recovery" || this.isRecoveryFarBack;
  }

  /** The log of this segment and before is damaged: it goes, as soon as snapshot and recovery do not need it. */
  giveUpThrough(segment: number): void {
    if (segment <= (this.damagedThrough ?? 0) || segment < this.options.log.start.segment) return;
    this.damagedThrough = segment;
    this.options.notify(logGivenUp(segment));
  }

  /** Something new is durable. */
  headChanged(): void {
    const { log, tracker } = this.options;
    tracker.headChanged({ txid: log.headTxid, commitTimeMs: log.headCommitTimeMs, end: log.end });
  }

  /** As {@link upkeep}, with pauses that keep its cost below a hundredth of a core, however many replicas there are. */
  upkeepIfDue(): void {
    const startMs = performance.now();
    if (startMs < this.nextMs) return;
    this.upkeep();
    const tookMs = performance.now() - startMs;
    this.nextMs = startMs + Math.min(MAX_PAUSE_MS, PAUSE_FACTOR * tookMs);
  }

  /**
   * Lets go of who is away for too long, gives up who is past the limit, and drops what nobody needs.
   *
   * @throws storage_failed
   */
  upkeep(): void {
    const { tracker } = this.options;
    const extent = this.extent();
    this.measure();
    tracker.tick(extent);
    this.sealIfDamaged();
    const state = this.state();
    const decision = decideRetention(state);
    this.decided = decision;
    this.decidedGeneration = this.newestGeneration;
    const { maxBytes } = this.limits;
    const recoveryBytes = this.catalogue.bytesAfter(state.recovery) ?? 0;
    this.isRecoveryFarBack = maxBytes !== null && recoveryBytes > maxBytes * RECOVERY_PART;
    if (tracker.settle(decision, extent)) this.drop(decision.firstToKeep);
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

  /** Log bytes from a place to the end; null where that part is gone, or given up. */
  bytesAfter(cursor: Cursor): number | null {
    if (cursor.segment <= (this.damagedThrough ?? 0)) return null;
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
    | "damagedThrough"
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
      damagedThrough: this.damagedThrough,
    };
  }

  private get newestGeneration(): number | undefined {
    return this.options.snapshots().at(-1)?.generation;
  }

  /** What is being written cannot be dropped. */
  private sealIfDamaged(): void {
    const { log, onSealed } = this.options;
    if (this.damagedThrough !== log.end.segment) return;
    log.seal();
    if (log.end.segment > this.damagedThrough) onSealed();
  }

  /** The log as it is now. */
  private extent(): LogExtent {
    const { log } = this.options;
    const { catalogue, limits, damagedThrough } = this;
    const before = catalogue.end;
    catalogue.update(log.start, log.end);
    if (compareCursors(before, log.end) < 0) this.writtenBytes += catalogue.bytesAfter(before) ?? 0;
    return { catalogue, limits, damagedThrough };
  }

  private state(): RetentionState {
    const { tracker, snapshots, recovery, clock } = this.options;
    return {
      segments: this.catalogue.list(),
      snapshots: snapshots(),
      recovery: recovery(),
      replicas: tracker.held(),
      damagedThrough: this.damagedThrough,
      limits: this.limits,
      nowMs: clock(),
    };
  }

  private measure(): void {
    const nowMs = this.options.clock();
    this.bytes.note(this.writtenBytes, nowMs);
    this.commits.note(this.options.log.headTxid, nowMs);
  }

  private drop(firstToKeep: number): void {
    const { log, notify } = this.options;
    const from = log.start.segment;
    const beforeBytes = this.catalogue.sizeBytes;
    log.dropBefore(firstToKeep);
    failpoint("retention.dropped");
    this.extent();
    if (log.start.segment > (this.damagedThrough ?? 0)) this.damagedThrough = null;
    const droppedBytes = beforeBytes - this.catalogue.sizeBytes;
    const count = log.start.segment - from;
    if (count === 0) return;
    const firstSegment = log.start.segment;
    const text = `the log begins with segment ${firstSegment} now: ${counted(count, "segment")}, ${size(droppedBytes)}, dropped`;
    notify(notice("debug", "log_trimmed", text, { firstSegment, segments: count, droppedBytes }));
  }
}
