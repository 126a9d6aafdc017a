import { compareCursors } from "../format/cursor.ts";
import { TailraceError } from "../errors.ts";
import type { SegmentCatalogue } from "../log/segment-catalogue.ts";
import type { Notice } from "../notice.ts";
import { LagClock } from "../plan/lag-clock.ts";
import { judgeRoom } from "../plan/replica-room.ts";
import { UNKNOWN_REPLICAS, releaseAtMs } from "../plan/retention.ts";
import type { HeldReplica, RetentionDecision, RetentionLimits } from "../plan/retention.ts";
import type { Sighting } from "../serve/engine.ts";
import type { ReplicaStatus } from "../status.ts";
import type { Cursor, Txid } from "../units.ts";
import * as say from "./announcements.ts";
import { RecentEnds } from "./recent-ends.ts";
import { readReplicas } from "./replicas-file.ts";
import type { StoredReplica, StoredTracking, UnknownReplicas } from "./replicas-file.ts";
import { TrackedReplica } from "./tracked-replica.ts";
import type { SoundSighting } from "./tracked-replica.ts";
import { TrackingFile } from "./tracking-file.ts";

export const MAX_REPLICAS = 10_000;
/** A replica that has no request open, and had none for so long, is inactive. */
export const INACTIVE_AFTER_MS = 10_000;
/** An id that has asked once, or always the same, is forgotten after this without a word. */
const STRANGER_MS = 60_000;
/** More than the longest time from one report of the server to the next. */
const LAST_WORD_MS = 3_000;
/** Warnings that could be caused by anybody who asks are given once in so long. */
const WARN_AGAIN_MS = 600_000;

export interface ReplicaTrackerOptions {
  /** `replicas.json` in the data folder. */
  readonly file: string;
  /** Unix ms. */
  readonly clock: () => number;
  /** The clock of commits: the primary's. Null where it is not known. Left out: `clock`. */
  readonly commitClock?: () => number | null;
  readonly notify: (notice: Notice) => void;
  readonly maxReplicas?: number;
}

const LOST = { retention: "lost", bytesUntilLost: null, secondsUntilLost: null } as const;

/** The log that replicas follow here. */
export interface FollowedLog {
  readonly logId: string;
  readonly headTxid: Txid;
  /** Null before the first commit. */
  readonly headCommitTimeMs: number | null;
  readonly start: Cursor;
}

/** The log as it is now: where it begins and ends, and how it may be cut. */
export interface LogExtent {
  readonly catalogue: SegmentCatalogue;
  readonly limits: RetentionLimits;
}

/**
 * What is known of each replica that asks this node. What a replica says of itself is anybody's word: cursors are taken
 * for no more than the log has, ids for no more than an id until their owner follows (TrackedReplica.isFollowing), and
 * there are at most {@link MAX_REPLICAS} of both.
 *
 * What is known lags behind what is so, never the other way round: a replica has at least what is said of it here, and
 * what is said here may be newer than what is on disk, but {@link flush} comes before anything of the log goes.
 */
export class ReplicaTracker {
  private readonly options: ReplicaTrackerOptions;
  private readonly maxReplicas: number;
  private readonly replicas = new Map<string, TrackedReplica>();
  private readonly openedMs: number;
  private readonly saved: TrackingFile;
  private unknown: UnknownReplicas | null;
  /** The file was damaged; from where they are to be held is known with the log. */
  private hasForgotten = false;
  private lagClock: LagClock = new LagClock();
  private ends: RecentEnds = new RecentEnds();
  private logId: string | undefined;
  private lost = 0;
  private released = 0;
  /** Since when somebody is to be given up who was heard of just now. */
  private givingUpSinceMs: number | undefined;
  private readonly warnedMs = new Map<string, number>();

  /**
   * Reads what is known from before. Of a damaged file it is only known that there may be replicas: nothing of the log is
   * cut below its limits then, for as long as a replica that is away is held.
   *
   * @throws unknown_version, storage_failed
   */
  static open(options: ReplicaTrackerOptions): ReplicaTracker {
    const read = readReplicas(options.file);
    if (read === undefined || !("setAsideAs" in read)) return new ReplicaTracker(options, read);
    const tracker = new ReplicaTracker(options, undefined);
    tracker.hasForgotten = true;
    options.notify(say.trackingDamaged(options.file, read.setAsideAs, read.reason));
    return tracker;
  }

  private constructor(options: ReplicaTrackerOptions, stored: StoredTracking | undefined) {
    this.options = options;
    this.maxReplicas = options.maxReplicas ?? MAX_REPLICAS;
    this.openedMs = options.clock();
    this.saved = new TrackingFile({
      ...options,
      count: () => this.replicas.size,
      collect: () => this.collect(),
    });
    const downMs = Math.max(0, this.openedMs - (stored?.savedMs ?? this.openedMs));
    const unknown = stored?.unknown ?? null;
    this.unknown = unknown && { ...unknown, sinceMs: unknown.sinceMs + downMs };
    for (const replica of stored?.replicas ?? [])
      this.replicas.set(replica.id, TrackedReplica.restored(replica, downMs));
  }

  /** Replicas that have lost their place, since the start. */
  get lostCount(): number {
    return this.lost;
  }

  /** Replicas that were away for too long, since the start. */
  get releasedCount(): number {
    return this.released;
  }

  /** From here on this is the log; before the first head. What is known of places in another one holds nothing here. */
  follow({ logId, headTxid, headCommitTimeMs, start }: FollowedLog): void {
    if (logId !== this.logId) {
      this.logId = logId;
      this.lagClock = new LagClock();
      this.ends = new RecentEnds();
    }
    if (this.hasForgotten) {
      this.unknown = { logId, received: start, sinceMs: this.openedMs };
      this.saved.mark("new");
    }
    this.hasForgotten = false;
    this.lagClock.note(headTxid, headCommitTimeMs);
  }

  /** Something new is durable. */
  headChanged(head: {
    readonly txid: Txid;
    readonly commitTimeMs: number | null;
    readonly end: Cursor;
  }): void {
    this.lagClock.note(head.txid, head.commitTimeMs);
    this.ends.note(head.end, this.options.clock());
  }

  /** What the server has seen. */
  report(sightings: readonly Sighting[], { catalogue }: LogExtent): void {
    const { logId } = this;
    if (logId === undefined) return;
    const nowMs = this.options.clock();
    for (const sighting of sightings) this.see(this.sound(sighting, logId, catalogue, nowMs), catalogue);
    this.saved.flushIfDue();
  }

  /** Those for whom the log is held. */
  held(): HeldReplica[] {
    const nowMs = this.options.clock();
    const held: HeldReplica[] = [];
    for (const replica of this.replicas.values()) {
      if (replica.logId !== this.logId || replica.lostAtMs !== null || !replica.isFollowing) continue;
      held.push({
        id: replica.id,
        received: replica.heldFrom(nowMs),
        inactiveSinceMs: replica.awaySinceMs,
      });
    }
    const { unknown } = this;
    if (unknown !== null && unknown.logId === this.logId) {
      held.push({ id: UNKNOWN_REPLICAS, received: unknown.received, inactiveSinceMs: unknown.sinceMs });
    }
    return held;
  }

  /** Whether somebody comes and goes with time alone: to be called about once a second. */
  tick({ catalogue, limits }: LogExtent): void {
    const nowMs = this.options.clock();
    for (const replica of this.replicas.values()) {
      const silentMs = nowMs - Math.max(replica.lastSeenMs, this.openedMs);
      const isInactive = !replica.isAsking && silentMs > INACTIVE_AFTER_MS;
      if (isInactive && !replica.isInactive) this.goInactive(replica, limits, nowMs);
      if (!replica.isFollowing && !replica.isAsking && silentMs > STRANGER_MS)
        this.replicas.delete(replica.id);
      const isTrimmed = compareCursors(replica.received, catalogue.start) < 0;
      // Nothing was promised to it, and nothing is announced.
      if (!replica.isFollowing && replica.logId === this.logId && isTrimmed) replica.lostAtMs ??= nowMs;
      // Those in another log, or without a place in this one, hold nothing; they are forgotten all the same.
      const holdsNothing = replica.lostAtMs !== null || replica.logId !== this.logId;
      const overdueMs = releaseAtMs({ inactiveSinceMs: replica.awaySinceMs }, limits);
      if (replica.isFollowing && holdsNothing && overdueMs !== null && nowMs >= overdueMs) {
        this.release(replica, nowMs);
      }
      if (replica.logId !== this.logId || replica.lostAtMs !== null) continue;
      const behindBytes = catalogue.bytesAfter(replica.received);
      if (behindBytes !== null) replica.growth.note(behindBytes, nowMs);
    }
    this.saved.flushIfDue();
  }

  /**
   * Whether those who are to be given up have had their last word: what is known of a replica that was heard of just now
   * is some seconds old, and it may be further on.
   */
  mayGiveUp({ lost }: RetentionDecision): boolean {
    const nowMs = this.options.clock();
    const isTalking = lost.some((id) => {
      const replica = this.replicas.get(id);
      return replica !== undefined && (replica.isAsking || nowMs - replica.lastSeenMs < LAST_WORD_MS);
    });
    if (!isTalking) this.givingUpSinceMs = undefined;
    if (!isTalking) return true;
    this.givingUpSinceMs ??= nowMs;
    const waitedMs = nowMs - this.givingUpSinceMs;
    if (waitedMs >= 0 && waitedMs < LAST_WORD_MS) return false;
    this.givingUpSinceMs = undefined;
    return true;
  }

  /** What has been decided on the log: who is released, who has lost his place, who soon will. */
  settle(decision: RetentionDecision, extent: LogExtent): void {
    const nowMs = this.options.clock();
    for (const id of decision.released) {
      if (id === UNKNOWN_REPLICAS) this.forgetUnknown();
      else this.release(this.replicas.get(id)!, nowMs);
    }
    for (const id of decision.lost) {
      if (id === UNKNOWN_REPLICAS) this.forgetUnknown();
      else this.lose(this.replicas.get(id)!, extent.limits, nowMs);
    }
    for (const replica of this.replicas.values()) this.judge(replica, decision, extent, nowMs);
    if (decision.lost.length > 0 || decision.released.length > 0) this.saved.tryFlush();
  }

  /** How many there are in the status. */
  get count(): number {
    let count = 0;
    for (const { logId } of this.replicas.values()) if (logId === this.logId) count += 1;
    return count;
  }

  /** In order of their ids. Those that were in another log are shown when they come back. */
  list({ catalogue, limits }: LogExtent): ReplicaStatus[] {
    const nowMs = this.options.clock();
    const shown = [...this.replicas.values()].filter(({ logId }) => logId === this.logId);
    return shown
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((replica) => this.describe(replica, catalogue, limits, nowMs));
  }

  /** Lets go of a replica at once. If it asks again it is a new one. @throws replica_unknown */
  forget(id: string, { catalogue, limits }: LogExtent): ReplicaStatus {
    const replica = this.replicas.get(id);
    if (replica === undefined) {
      throw new TailraceError("replica_unknown", `there is no replica ${JSON.stringify(id)}`, {
        hint: "GET /admin/replicas (tailrace replicas) lists those that there are.",
      });
    }
    const status = this.describe(replica, catalogue, limits, this.options.clock());
    this.replicas.delete(id);
    this.saved.mark("new");
    this.options.notify(say.replicaForgotten(id));
    this.saved.tryFlush();
    return status;
  }

  /** Writes down what has changed. To be called before anything of the log goes. @throws storage_failed */
  flush(): void {
    this.saved.flush();
  }

  /** Writes down what is known, so that the time until the next start does not count. A failure is only told. */
  close(): void {
    if (this.replicas.size > 0 || this.unknown !== null) this.saved.mark("new");
    this.saved.tryFlush();
  }

  private see(sighting: SoundSighting, catalogue: SegmentCatalogue): void {
    const nowMs = this.options.clock();
    const known = this.replicas.get(sighting.id);
    if (known === undefined) {
      const replica = TrackedReplica.from(sighting);
      if (!this.hasPlace()) return;
      // Its place is gone before it was ever known: it has to resync, and has lost nothing that was promised.
      if (compareCursors(sighting.received, catalogue.start) < 0) replica.lostAtMs = nowMs;
      this.replicas.set(replica.id, replica);
      if (replica.isFollowing) this.welcome(replica);
      return;
    }
    const wasFollowing = known.isFollowing;
    const awayMs = sighting.lastSeenMs - known.lastSeenMs;
    const hasChanged = known.see(sighting, nowMs);
    if (wasFollowing) this.saved.mark(hasChanged ? "change" : "sight");
    else if (known.isFollowing) this.welcome(known);
    if (known.isInactive && (sighting.isAsking || awayMs > 0)) {
      known.isInactive = false;
      this.saved.mark("change");
      if (known.lostAtMs === null && known.isFollowing) {
        this.options.notify(say.replicaBack(known.id, "inactive", awayMs));
      }
    }
    if (known.lostAtMs !== null && compareCursors(known.received, catalogue.start) >= 0) {
      known.lostAtMs = null;
      known.begin();
      if (known.isFollowing) this.options.notify(say.replicaBack(known.id, "lost", awayMs));
    }
    if (known.isTornBetweenTwo(nowMs)) {
      this.warn(`shared ${known.id}`, nowMs, () => say.idShared(known.id, known.address));
    }
    this.noteBehind(known);
  }

  private welcome(replica: TrackedReplica): void {
    this.noteBehind(replica);
    this.saved.mark("new");
    this.options.notify(say.replicaSeen(replica.id, replica.address));
  }

  /** A sighting without anything that cannot be. */
  private sound(
    sighting: Sighting,
    logId: string,
    catalogue: SegmentCatalogue,
    nowMs: number,
  ): SoundSighting {
    const { received, sent, appliedTxid } = sighting;
    const { end } = catalogue;
    const within = (cursor: Cursor): Cursor => (compareCursors(cursor, end) > 0 ? end : cursor);
    const headTxid = this.lagClock.headTxid ?? 0;
    return {
      ...sighting,
      logId,
      received: within(received),
      sent: sent === null ? null : within(sent),
      // Nobody has applied what does not exist.
      appliedTxid: appliedTxid === null || appliedTxid > headTxid ? null : appliedTxid,
      lastSeenMs: Math.min(sighting.lastSeenMs, nowMs),
      isAtEnd: this.ends.isAtEnd(within(received), nowMs),
    };
  }

  /** Whether another one fits in; makes room for it where somebody has long been silent. */
  private hasPlace(): boolean {
    if (this.replicas.size < this.maxReplicas) return true;
    const nowMs = this.options.clock();
    let longest: TrackedReplica | undefined;
    for (const replica of this.replicas.values()) {
      const isSilent = !replica.isAsking && nowMs - replica.lastSeenMs > INACTIVE_AFTER_MS;
      if (!isSilent) continue;
      // Who follows comes after all who do not.
      const isBetter =
        longest === undefined ||
        (longest.isFollowing && !replica.isFollowing) ||
        (longest.isFollowing === replica.isFollowing && replica.lastSeenMs < longest.lastSeenMs);
      if (isBetter) longest = replica;
    }
    if (longest === undefined) {
      this.warn("refused", nowMs, () => say.replicasRefused(this.maxReplicas));
      return false;
    }
    this.replicas.delete(longest.id);
    if (longest.isFollowing) {
      this.saved.mark("new");
      this.options.notify(say.replicaDisplaced(longest.id, this.maxReplicas));
    }
    return true;
  }

  private goInactive(replica: TrackedReplica, limits: RetentionLimits, nowMs: number): void {
    replica.isInactive = true;
    if (!replica.isFollowing) return;
    this.saved.mark("change");
    const { id, lastSeenMs, awaySinceMs } = replica;
    const untilMs = releaseAtMs({ inactiveSinceMs: awaySinceMs }, limits) ?? nowMs;
    if (replica.lostAtMs === null) this.options.notify(say.replicaInactive(id, lastSeenMs, untilMs, nowMs));
  }

  private release(replica: TrackedReplica, nowMs: number): void {
    this.replicas.delete(replica.id);
    this.released += 1;
    this.saved.mark("new");
    this.options.notify(say.replicaReleased(replica.id, nowMs - replica.lastSeenMs));
  }

  private lose(replica: TrackedReplica, limits: RetentionLimits, nowMs: number): void {
    replica.lose(nowMs);
    this.lost += 1;
    this.saved.mark("new");
    this.options.notify(say.replicaLost(replica.id, limits.maxBytes, replica.timesLost));
  }

  private judge(
    replica: TrackedReplica,
    decision: RetentionDecision,
    { catalogue, limits }: LogExtent,
    nowMs: number,
  ): void {
    if (replica.logId !== this.logId || replica.lostAtMs !== null || !replica.isFollowing) return;
    const { segment } = replica.heldFrom(nowMs);
    const before = replica.room.retention;
    replica.room = judgeRoom(
      {
        heldBytes: catalogue.bytesAfter({ segment, offset: 0 }) ?? catalogue.sizeBytes,
        isAtEnd: !replica.isInactive && this.ends.isAtEnd(replica.received, nowMs),
        isInNewest: segment >= catalogue.end.segment,
        isKeptAnyway: segment >= decision.firstWithoutReplicas,
        netBytesPerSecond: replica.growth.perSecond,
        before,
      },
      limits,
    );
    const { retention, bytesUntilLost, secondsUntilLost } = replica.room;
    if (retention === "endangered" && before !== "endangered") {
      this.options.notify(say.replicaEndangered(replica.id, bytesUntilLost, secondsUntilLost));
    } else if (before === "endangered" && retention !== "endangered") {
      this.options.notify(say.replicaSafe(replica.id, bytesUntilLost));
    }
  }

  private describe(
    replica: TrackedReplica,
    catalogue: SegmentCatalogue,
    limits: RetentionLimits,
    nowMs: number,
  ): ReplicaStatus {
    const { id, address, sent, received, appliedTxid, firstSeenMs, lastSeenMs, lostAtMs, timesLost } =
      replica;
    const { headTxid } = this.lagClock;
    const isLost = lostAtMs !== null;
    const isInactive = this.isInactive(replica, nowMs);
    const isKnown = appliedTxid !== null && headTxid !== undefined;
    const lagMs = this.lagMs(replica);
    const commitNowMs = this.commitNowMs();
    const awaySinceMs = isInactive ? lastSeenMs + replica.uncountedMs : null;
    const place = this.ends.isAtEnd(received, nowMs) ? "streaming" : "catching_up";
    return {
      id,
      address,
      state: isLost ? "lost" : isInactive ? "inactive" : place,
      sent,
      received,
      appliedTxid,
      lagTransactions: isKnown ? Math.max(0, headTxid - appliedTxid) : null,
      lagBytes: isLost ? null : catalogue.bytesAfter(received),
      lagSeconds: lagMs === null ? null : lagMs / 1000,
      freshAsOfMs: lagMs === null || commitNowMs === null ? null : commitNowMs - lagMs,
      firstSeenMs,
      lastSeenMs,
      inactiveSinceMs: isInactive ? lastSeenMs : null,
      releaseAtMs: releaseAtMs({ inactiveSinceMs: awaySinceMs }, limits),
      ...(isLost ? LOST : replica.room),
      lostAtMs,
      timesLost,
    };
  }

  private isInactive(replica: TrackedReplica, nowMs: number): boolean {
    if (replica.isAsking) return false;
    return replica.isInactive || nowMs - Math.max(replica.lastSeenMs, this.openedMs) > INACTIVE_AFTER_MS;
  }

  /** By the clock of commits. Where the log's times do not reach back so far, by what was known before. */
  private lagMs({ appliedTxid, behindSinceMs }: TrackedReplica): number | null {
    const nowMs = this.commitNowMs();
    if (nowMs === null || appliedTxid === null) return null;
    const bridgedMs = behindSinceMs === null ? null : Math.max(0, nowMs - behindSinceMs);
    return this.lagClock.lagMs(appliedTxid, nowMs) ?? bridgedMs;
  }

  private commitNowMs(): number | null {
    const { clock, commitClock = clock } = this.options;
    return commitClock();
  }

  /** Kept up for the time after a restart, when the clock knows nothing of the transactions before it. */
  private noteBehind(replica: TrackedReplica): void {
    const { appliedTxid } = replica;
    const { headTxid } = this.lagClock;
    if (appliedTxid === null || headTxid === undefined) return;
    if (appliedTxid >= headTxid) replica.behindSinceMs = null;
    else replica.behindSinceMs = this.lagClock.oldestAfterMs(appliedTxid) ?? replica.behindSinceMs;
  }

  private forgetUnknown(): void {
    this.unknown = null;
    this.saved.mark("new");
  }

  private warn(what: string, nowMs: number, notice: () => Notice): void {
    const lastMs = this.warnedMs.get(what);
    if (lastMs !== undefined && nowMs - lastMs < WARN_AGAIN_MS) return;
    if (this.warnedMs.size >= this.maxReplicas) this.warnedMs.clear();
    this.warnedMs.set(what, nowMs);
    this.options.notify(notice());
  }

  private collect(): Omit<StoredTracking, "savedMs"> {
    const replicas: StoredReplica[] = [];
    for (const replica of this.replicas.values()) {
      if (!replica.isFollowing) continue;
      this.noteBehind(replica);
      replicas.push(replica.store());
    }
    return { replicas, unknown: this.unknown };
  }
}
