import { TailraceError } from "../errors.ts";
import { compareCursors } from "../format/cursor.ts";
import type { SegmentCatalogue } from "../log/segment-catalogue.ts";
import type { Notice } from "../notice.ts";
import { UNKNOWN_REPLICAS, releaseAtMs } from "../plan/retention.ts";
import type { HeldReplica, RetentionDecision, RetentionLimits } from "../plan/retention.ts";
import type { Sighting } from "../serve/engine.ts";
import type { ReplicaStatus } from "../status.ts";
import type { Cursor, Txid } from "../units.ts";
import * as say from "./announcements.ts";
import { describeReplica } from "./describe-replica.ts";
import { ForgottenReplicas } from "./forgotten-replicas.ts";
import { LastWords } from "./last-words.ts";
import type { FollowedLog, LogExtent } from "./log-extent.ts";
import { longestSilent } from "./longest-silent.ts";
import { noteRoom } from "./note-room.ts";
import { RareWarnings } from "./rare-warnings.ts";
import { RecentEnds } from "./recent-ends.ts";
import { ReplicaLag } from "./replica-lag.ts";
import { readReplicas } from "./replicas-file.ts";
import type { StoredReplica, StoredTracking } from "./replicas-file.ts";
import { soundSighting } from "./sound-sighting.ts";
import type { SoundSighting } from "./sound-sighting.ts";
import { INACTIVE_AFTER_MS, TrackedReplica } from "./tracked-replica.ts";
import { TrackingFile } from "./tracking-file.ts";

export const MAX_REPLICAS = 10_000;
/** An id that has asked once, or always the same, is forgotten after this without a word. */
const STRANGER_MS = 60_000;
export interface ReplicaTrackerOptions {
  /** `replicas.json` in the data folder. */
  readonly file: string;
  /** Unix ms. */
  readonly clock: () => number;
  /** The clock of commits: the primary's. Null where it is not known. Left out: `clock`. */
  readonly commitClock?: () => number | null;
  /** As of when, by that clock, this node's log is all there is; null where that is not known. Left out: now. */
  readonly headFreshAsOfMs?: () => number | null;
  readonly notify: (notice: Notice) => void;
  readonly maxReplicas?: number;
}

/**
 * What is known of each replica that asks this node. What a replica says of itself is anybody's word: cursors are taken
 * for no more than the log has, ids for no more than an id until their owner follows (TrackedReplica.isFollowing), and
 * there are at most {@link MAX_REPLICAS} of both.
 *
 * What is known lags behind what is so, never the other way round: a replica has at least what is said of it here, and
 * what is said here may be newer than what is on disk, but {@link settle} comes before anything of the log goes.
 */
export class ReplicaTracker {
  private readonly options: ReplicaTrackerOptions;
  private readonly maxReplicas: number;
  private readonly replicas = new Map<string, TrackedReplica>();
  private openedMs: number;
  private readonly saved: TrackingFile;
  private readonly forgotten: ForgottenReplicas;
  private readonly lag: ReplicaLag;
  private ends: RecentEnds = new RecentEnds();
  private logId: string | undefined;
  private lost = 0;
  private released = 0;
  /** By the last decision all before it goes: whoever stands there has no place, also where it cannot be removed. */
  private firstKept = 0;
  private readonly lastWords: LastWords;
  private readonly warnings: RareWarnings;

  /**
   * Reads what is known from before. Of a damaged file it is only known that there may be replicas: nothing of the log is
   * cut below its limits then, for as long as a replica that is away is held.
   *
   * @throws unknown_version, storage_failed
   */
  static open(options: ReplicaTrackerOptions): ReplicaTracker {
    const read = readReplicas(options.file);
    if (read === undefined || !("setAsideAs" in read)) return new ReplicaTracker(options, read, false);
    options.notify(say.trackingDamaged(options.file, read.setAsideAs, read.reason));
    return new ReplicaTracker(options, undefined, true);
  }

  private constructor(
    options: ReplicaTrackerOptions,
    stored: StoredTracking | undefined,
    isDamaged: boolean,
  ) {
    this.options = options;
    this.maxReplicas = options.maxReplicas ?? MAX_REPLICAS;
    this.openedMs = options.clock();
    const { clock, commitClock = clock, headFreshAsOfMs } = options;
    this.lag = new ReplicaLag(commitClock, headFreshAsOfMs);
    this.lastWords = new LastWords(this.openedMs);
    this.warnings = new RareWarnings(options.notify, this.maxReplicas);
    this.saved = new TrackingFile({
      ...options,
      count: () => this.replicas.size,
      collect: () => this.collect(),
    });
    const downMs = Math.max(0, this.openedMs - (stored?.savedMs ?? this.openedMs));
    this.forgotten = new ForgottenReplicas(stored?.unknown ?? null, isDamaged, downMs);
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

  /**
   * From here on this is the log; before the first head, and when it has lost its end. What is known of places in another
   * one holds nothing here.
   */
  follow(log: FollowedLog): void {
    const { logId, headTxid, headCommitTimeMs } = log;
    if (logId !== this.logId || headTxid < (this.lag.headTxid ?? 0)) {
      this.logId = logId;
      this.lag.begin();
      this.firstKept = 0;
      this.ends = new RecentEnds();
    }
    if (this.forgotten.follow(log, this.openedMs)) this.saved.mark("new");
    this.lag.note(headTxid, headCommitTimeMs);
  }

  /** Something new is durable. */
  headChanged(head: {
    readonly txid: Txid;
    readonly commitTimeMs: number | null;
    readonly end: Cursor;
  }): void {
    this.lag.note(head.txid, head.commitTimeMs);
    this.ends.note(head.end, this.options.clock());
  }

  /** What the server has seen. */
  report(sightings: readonly Sighting[], { catalogue }: LogExtent): void {
    const { logId } = this;
    if (logId === undefined) return;
    const nowMs = this.options.clock();
    const log = { logId, end: catalogue.end, headTxid: this.lag.headTxid, ends: this.ends };
    for (const sighting of sightings) this.see(soundSighting(sighting, log, nowMs), catalogue);
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
    const forgotten = this.forgotten.heldIn(this.logId);
    if (forgotten !== undefined) held.push(forgotten);
    return held;
  }

  /** Whether somebody comes and goes with time alone: to be called about once a second. */
  tick({ catalogue, limits }: LogExtent): void {
    const nowMs = this.options.clock();
    // A clock that was set back must not make anybody present for so much longer.
    this.openedMs = Math.min(this.openedMs, nowMs);
    for (const replica of this.replicas.values()) {
      replica.lastSeenMs = Math.min(replica.lastSeenMs, nowMs);
      const isAsking = replica.isAsking(nowMs);
      const silentMs = nowMs - Math.max(replica.lastSeenMs, this.openedMs);
      if (!isAsking && silentMs > INACTIVE_AFTER_MS && !replica.isInactive)
        this.goInactive(replica, limits, nowMs);
      if (!replica.isFollowing && !isAsking && silentMs > STRANGER_MS) this.replicas.delete(replica.id);
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
   * What has been decided on the log: who is released, who has lost his place, who soon will. Where anything of the log is
   * to go, what is known is on disk when this returns.
   *
   * @returns whether segments are to go now. Not yet, where somebody who would lose his place may be further on than is
   *   known, or where what is known cannot be written down: then nobody loses it, either
   */
  settle(decision: RetentionDecision, extent: LogExtent): boolean {
    const nowMs = this.options.clock();
    const isCut = decision.firstToKeep > extent.catalogue.start.segment;
    const stands = this.mayGiveUp(decision.lost, nowMs) && (!isCut || this.saved.isOnDisk());
    const lost = stands ? decision.lost : [];
    if (stands) this.firstKept = decision.firstToKeep;
    for (const id of decision.released) {
      if (id === UNKNOWN_REPLICAS) this.releaseForgotten();
      else this.release(this.replicas.get(id)!, nowMs);
    }
    for (const id of lost) {
      if (id === UNKNOWN_REPLICAS) this.releaseForgotten();
      else this.lose(this.replicas.get(id)!, extent, nowMs);
    }
    for (const replica of this.replicas.values()) {
      if (replica.logId !== this.logId || replica.lostAtMs !== null || !replica.isFollowing) continue;
      const isAtEnd = this.ends.isAtEnd(replica.received, nowMs);
      noteRoom(replica, decision, extent, { nowMs, isAtEnd, notify: this.options.notify });
    }
    if (lost.length > 0 || decision.released.length > 0) this.saved.tryFlush();
    return stands && isCut;
  }

  /** In order of their ids. Those that were in another log are shown when they come back. */
  list(extent: LogExtent): ReplicaStatus[] {
    const nowMs = this.options.clock();
    const shown = [...this.replicas.values()].filter(({ logId }) => logId === this.logId);
    return shown
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((replica) => this.describe(replica, extent, nowMs));
  }

  /** Lets go of a replica at once. If it asks again it is a new one. @throws replica_unknown */
  forget(id: string, extent: LogExtent): ReplicaStatus {
    const replica = this.replicas.get(id);
    if (replica === undefined) {
      throw new TailraceError("replica_unknown", `there is no replica ${JSON.stringify(id)}`, {
        hint: "GET /admin/replicas (tailrace replicas) lists those that there are.",
      });
    }
    const status = this.describe(replica, extent, this.options.clock());
    this.replicas.delete(id);
    this.saved.mark("new");
    this.options.notify(say.replicaForgotten(id));
    this.saved.tryFlush();
    return status;
  }

  /** Writes down what is known, so that the time until the next start does not count. A failure is only told. */
  close(): void {
    if (this.replicas.size > 0 || this.forgotten.stored !== null) this.saved.mark("new");
    this.saved.tryFlush();
  }

  private mayGiveUp(lost: readonly string[], nowMs: number): boolean {
    return this.lastWords.mayGiveUp(
      lost.flatMap((id) => this.replicas.get(id) ?? []),
      nowMs,
    );
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
    // Where it stood in another log holds nothing here: until that is written, a restart does not know it.
    const isNewHere = sighting.logId !== known.logId;
    const hasChanged = known.see(sighting, nowMs);
    if (wasFollowing) this.saved.mark(isNewHere ? "new" : hasChanged ? "change" : "sight");
    else if (known.isFollowing) this.welcome(known);
    if (known.isInactive && (sighting.isAsking || awayMs > 0)) {
      known.isInactive = false;
      this.saved.mark("change");
      if (known.lostAtMs === null && known.isFollowing) {
        this.options.notify(say.replicaBack(known.id, "inactive", awayMs));
      }
    }
    const firstKept = Math.max(catalogue.start.segment, this.firstKept);
    if (known.lostAtMs !== null && known.received.segment >= firstKept) {
      known.lostAtMs = null;
      known.begin();
      if (known.isFollowing) this.options.notify(say.replicaBack(known.id, "lost", awayMs));
    }
    if (known.isTornBetweenTwo(nowMs)) {
      this.warnings.warn(`shared ${known.id}`, nowMs, () => say.idShared(known.id, known.address));
    }
    this.lag.noteBehind(known);
  }

  private welcome(replica: TrackedReplica): void {
    this.lag.noteBehind(replica);
    this.saved.mark("new");
    this.options.notify(say.replicaSeen(replica.id, replica.address));
  }

  /** Whether another one fits in; makes room for it where somebody has long been silent. */
  private hasPlace(): boolean {
    if (this.replicas.size < this.maxReplicas) return true;
    const nowMs = this.options.clock();
    const longest = longestSilent(this.replicas.values(), (replica) => {
      return !replica.isAsking(nowMs) && nowMs - replica.lastSeenMs > INACTIVE_AFTER_MS;
    });
    if (longest === undefined) {
      this.warnings.warn("refused", nowMs, () => say.replicasRefused(this.maxReplicas));
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

  private lose(replica: TrackedReplica, { limits, damagedThrough }: LogExtent, nowMs: number): void {
    // Only where others have used up the time in which it would have been announced by itself.
    if (replica.endangeredSinceMs === null) this.options.notify(say.replicaEndangered(replica.id, 0, null));
    replica.lose(nowMs);
    this.lost += 1;
    this.saved.mark("new");
    const why = replica.received.segment <= (damagedThrough ?? 0) ? "damage" : limits;
    this.options.notify(say.replicaLost(replica.id, why, replica.timesLost));
  }

  private describe(replica: TrackedReplica, extent: LogExtent, nowMs: number): ReplicaStatus {
    return describeReplica(replica, extent, {
      nowMs,
      lag: this.lag.of(replica),
      isInactive: this.isInactive(replica, nowMs),
      isAtEnd: this.ends.isAtEnd(replica.received, nowMs),
    });
  }

  private isInactive(replica: TrackedReplica, nowMs: number): boolean {
    if (replica.isAsking(nowMs)) return false;
    return replica.isInactive || nowMs - Math.max(replica.lastSeenMs, this.openedMs) > INACTIVE_AFTER_MS;
  }

  private releaseForgotten(): void {
    this.forgotten.release();
    this.saved.mark("new");
  }

  private collect(): Omit<StoredTracking, "savedMs"> {
    const replicas: StoredReplica[] = [];
    for (const replica of this.replicas.values()) {
      if (!replica.isFollowing) continue;
      this.lag.noteBehind(replica);
      replicas.push(replica.store());
    }
    return { replicas, unknown: this.forgotten.stored };
  }
}
