import { compareCursors } from "../format/cursor.ts";
import { RateMeter } from "../plan/rate-meter.ts";
import type { ReplicaRoom } from "../plan/replica-room.ts";
import type { Cursor, Txid } from "../units.ts";
import type { StoredReplica } from "./replicas-file.ts";
import type { SoundSighting } from "./sound-sighting.ts";

/** For so long the earlier of two places is held, when a replica goes back. */
const LOW_HELD_MS = 60_000;
/** Going back so often in that time is more than a restart: two processes have one id. */
const BACKWARD_STEPS = 3;

/** A replica that has no request open, and had none for so long, is inactive. */
export const INACTIVE_AFTER_MS = 10_000;
/** No request is open for longer: the longest wait, and as long for the way of the answer as a socket may stand still. */
const REQUEST_MS = 180_000;

/** What is known of one replica. */
export class TrackedReplica {
  readonly id: string;
  readonly firstSeenMs: number;
  logId: string;
  address: string | null;
  received: Cursor;
  sent: Cursor | null;
  appliedTxid: Txid | null;
  lastSeenMs: number;
  uncountedMs: number;
  /**
   * It follows: it waits at the end, or has come back for more, from further on. Log is held only then, and it outlasts a
   * restart; an id alone, which anybody can make up, holds nothing.
   */
  isFollowing: boolean;
  isInactive: boolean;
  behindSinceMs: number | null;
  lostAtMs: number | null;
  timesLost: number;
  room: ReplicaRoom = { retention: "reserved", bytesUntilLost: null, secondsUntilLost: null };
  /** Since when it is announced that it will be lost, Unix ms; null while it is not. */
  endangeredSinceMs: number | null = null;
  /** How fast the log outgrows it. */
  growth: RateMeter = new RateMeter();
  /** Of this run; otherwise all is from before a restart. */
  wasSeen: boolean;
  /** When it was heard of last, it had a request open. */
  private hasRequest: boolean;
  private low: { cursor: Cursor; untilMs: number } | undefined;
  private stepsBackMs: number[] = [];

  static from(sighting: SoundSighting): TrackedReplica {
    const { id, logId, address, received, sent, appliedTxid, lastSeenMs } = sighting;
    const stored = { id, logId, address, received, sent, appliedTxid, firstSeenMs: lastSeenMs, lastSeenMs };
    return new TrackedReplica(
      { ...stored, uncountedMs: 0, isInactive: false, behindSinceMs: null, lostAtMs: null, timesLost: 0 },
      sighting.isAsking,
      sighting.isAsking && sighting.isAtEnd,
      true,
    );
  }

  /** @param downMs for how long this node was not there to see it */
  static restored(stored: StoredReplica, downMs: number): TrackedReplica {
    return new TrackedReplica(
      { ...stored, uncountedMs: stored.uncountedMs + Math.max(0, downMs) },
      false,
      true,
      false,
    );
  }

  private constructor(stored: StoredReplica, isAsking: boolean, isFollowing: boolean, wasSeen: boolean) {
    this.id = stored.id;
    this.firstSeenMs = stored.firstSeenMs;
    this.logId = stored.logId;
    this.address = stored.address;
    this.received = stored.received;
    this.sent = stored.sent;
    this.appliedTxid = stored.appliedTxid;
    this.lastSeenMs = stored.lastSeenMs;
    this.uncountedMs = stored.uncountedMs;
    this.isInactive = stored.isInactive;
    this.behindSinceMs = stored.behindSinceMs;
    this.lostAtMs = stored.lostAtMs;
    this.timesLost = stored.timesLost;
    this.hasRequest = isAsking;
    this.wasSeen = wasSeen;
    this.isFollowing = isFollowing;
  }

  /** @returns whether something has changed that a restart must know */
  see(sighting: SoundSighting, nowMs: number): boolean {
    const isOtherLog = sighting.logId !== this.logId;
    const step = isOtherLog ? 1 : compareCursors(sighting.received, this.received);
    const hasAskedAgain = sighting.lastSeenMs > this.lastSeenMs;
    if (step < 0) this.stepBack(sighting.received, nowMs);
    if (step > 0 || (sighting.isAsking && sighting.isAtEnd)) this.isFollowing = true;
    const hasChanged = isOtherLog || step !== 0 || sighting.appliedTxid !== this.appliedTxid;
    this.logId = sighting.logId;
    this.address = sighting.address;
    this.received = sighting.received;
    this.sent = sighting.sent;
    this.appliedTxid = sighting.appliedTxid;
    this.hasRequest = sighting.isAsking;
    this.wasSeen = true;
    if (hasAskedAgain || sighting.isAsking) this.uncountedMs = 0;
    this.lastSeenMs = Math.max(this.lastSeenMs, sighting.lastSeenMs);
    return hasChanged;
  }

  /** It has a request open. The end of one is told; but not by a server that has died. */
  isAsking(nowMs: number): boolean {
    return this.hasRequest && nowMs - this.lastSeenMs < REQUEST_MS;
  }

  /** From where the log is held: where it stands, or where it has been a moment ago if it went back. */
  heldFrom(nowMs: number): Cursor {
    const { low } = this;
    if (low === undefined || nowMs >= low.untilMs || nowMs < low.untilMs - LOW_HELD_MS) return this.received;
    return compareCursors(low.cursor, this.received) < 0 ? low.cursor : this.received;
  }

  /** It loses its place. */
  lose(nowMs: number): void {
    this.lostAtMs = nowMs;
    this.timesLost += 1;
    this.begin();
  }

  /** It has a place in the log again. */
  begin(): void {
    this.low = undefined;
    this.stepsBackMs = [];
    this.growth = new RateMeter();
    this.endangeredSinceMs = null;
    this.room = { retention: "reserved", bytesUntilLost: null, secondsUntilLost: null };
  }

  /** Whether it has gone back so often of late that two processes must be using its id. */
  isTornBetweenTwo(nowMs: number): boolean {
    return this.stepsBackMs.filter((timeMs) => nowMs - timeMs < LOW_HELD_MS).length >= BACKWARD_STEPS;
  }

  /** Since when it is to be counted as away, Unix ms: without the time in which this node was not running. */
  get awaySinceMs(): number | null {
    return this.isInactive ? this.lastSeenMs + this.uncountedMs : null;
  }

  store(): StoredReplica {
    const { id, logId, address, received, sent, appliedTxid, firstSeenMs, lastSeenMs, uncountedMs } = this;
    const { isInactive, behindSinceMs, lostAtMs, timesLost } = this;
    return {
      id,
      logId,
      address,
      received,
      sent,
      appliedTxid,
      firstSeenMs,
      lastSeenMs,
      uncountedMs,
      isInactive,
      behindSinceMs,
      lostAtMs,
      timesLost,
    };
  }

  private stepBack(cursor: Cursor, nowMs: number): void {
    this.low = { cursor, untilMs: nowMs + LOW_HELD_MS };
    this.stepsBackMs = [...this.stepsBackMs, nowMs].slice(-BACKWARD_STEPS);
  }
}
