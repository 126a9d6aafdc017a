import { compareCursors } from "../format/cursor.ts";
import type { Cursor } from "../units.ts";

/*
 * Which segments of the log may go, and what that costs whom.
 *
 *   oldest ──────────────────────────────────────────────────────────────▶ newest
 *   [ 3 ][ 4 ][ 5 ][ 6 ][ 7 ][ 8 ][ 9 ]
 *     ▲         ▲         ▲         └ always stays: it is being written
 *     │         │         └ the newest snapshot, recovery: they hold the log whatever its size
 *     │         └ least size, least time, older snapshots, replicas: they hold it up to maxBytes, but nothing that is damaged
 *     └ goes when nothing holds it, or when all from here on is more than maxBytes
 */

export interface LogSegment {
  readonly segment: number;
  readonly sizeBytes: number;
  /** When its last byte was written, Unix ms. */
  readonly modifiedMs: number;
}

export interface RetentionLimits {
  /** The log is not cut below this size: whoever comes back after a short while needs no new snapshot. */
  readonly keepBytes: number;
  /** Nothing younger than this goes. */
  readonly keepMs: number;
  /** Beyond it everything is given up but what the newest snapshot and recovery need. Null: no limit. */
  readonly maxBytes: number | null;
  /** A replica that is away is held for so long. */
  readonly holdInactiveMs: number;
}

/** In place of an id: replicas that nobody remembers. No replica can have it. */
export const UNKNOWN_REPLICAS = "";

/** A replica for which the log is kept. */
export interface HeldReplica {
  readonly id: string;
  /** Everything before is on its disk. */
  readonly received: Cursor;
  /** Unix ms; null while it is there. */
  readonly inactiveSinceMs: number | null;
}

export interface NeededSnapshot {
  readonly generation: number;
  /** Where the log goes on. */
  readonly cursor: Cursor;
}

export interface RetentionState {
  /** Ascending and without holes; the last one is being written. */
  readonly segments: readonly LogSegment[];
  /** Those that are kept, by generation. Without any, nothing goes at all: nobody could begin to follow. */
  readonly snapshots: readonly NeededSnapshot[];
  /** From where the database would be repaired after a loss of power. */
  readonly recovery: Cursor;
  readonly replicas: readonly HeldReplica[];
  /**
   * Something up to the end of this segment cannot be read: what is there leads nowhere, and is wanted by nobody. Null where
   * no damage is known.
   */
  readonly damagedThrough: number | null;
  readonly limits: RetentionLimits;
  /** Unix ms. */
  readonly nowMs: number;
}

export interface RetentionDecision {
  /** All segments before it may go. */
  readonly firstToKeep: number;
  /** What it would be if there were no replicas: where theirs is earlier, the log is kept for them alone. */
  readonly firstWithoutReplicas: number;
  /** Replicas whose place goes with that, or is gone. */
  readonly lost: readonly string[];
  /** Replicas that were away for too long: the log is no longer kept for them. */
  readonly released: readonly string[];
  /** The log is past maxBytes, or damaged, and what holds it: a new snapshot or a checkpoint is due. */
  readonly heldPastLimitBy: "snapshot" | "recovery" | null;
}

export function decideRetention(state: RetentionState): RetentionDecision {
  const { limits, nowMs } = state;
  const { maxBytes } = limits;
  const released = state.replicas.filter((replica) => isOverdue(replica, limits, nowMs));
  const held = state.replicas.filter((replica) => !isOverdue(replica, limits, nowMs));
  const firstWithoutReplicas = firstToKeep(state, []);
  const forced = firstToKeep(state, held);
  const lost = held.filter(({ received }) => received.segment < forced);
  // Nothing more is kept for those who have just lost their place.
  const segments = state.segments.filter(({ segment }) => segment >= forced);
  const first = firstToKeep(
    { ...state, segments },
    held.filter(({ received }) => received.segment >= forced),
  );
  const left = sizeFrom(state.segments, first);
  const isPastLimit = (maxBytes !== null && left > maxBytes) || first <= (state.damagedThrough ?? 0);
  const newest = newestOf(state.snapshots);
  const isHeldBySnapshot = newest === undefined || newest.cursor.segment <= state.recovery.segment;
  const holder = isHeldBySnapshot ? newest?.cursor.segment : state.recovery.segment;
  const isNewest = first >= (state.segments.at(-1)?.segment ?? first);
  // The newest segment stays whatever holds it: nothing would be gained.
  const isHeld = isPastLimit && !isNewest && (holder === undefined || holder <= first);
  return {
    firstToKeep: first,
    firstWithoutReplicas,
    lost: lost.map(({ id }) => id),
    released: released.map(({ id }) => id),
    heldPastLimitBy: !isHeld ? null : isHeldBySnapshot ? "snapshot" : "recovery",
  };
}

/** When a replica that is away is no longer held; null while it is there. */
export function releaseAtMs(
  { inactiveSinceMs }: Pick<HeldReplica, "inactiveSinceMs">,
  { holdInactiveMs }: Pick<RetentionLimits, "holdInactiveMs">,
): number | null {
  return inactiveSinceMs === null ? null : inactiveSinceMs + holdInactiveMs;
}

/** More reasons than this say nothing more. */
const MAX_REASONS = 5;

/**
 * Why each segment is kept, in the order of the segments: the needs that lie at or before it, the earliest first.
 * `replica edge-1`, `snapshot 3`, `recovery`, `least size`, `least time`.
 */
export function reasonsToKeep(state: RetentionState): readonly (readonly string[])[] {
  const { segments, snapshots, recovery, replicas, limits, nowMs } = state;
  const first = segments[0]?.segment ?? 1;
  const needs = [
    { reason: "recovery", segment: recovery.segment },
    ...snapshots.map(({ generation, cursor }) => ({
      reason: `snapshot ${generation}`,
      segment: cursor.segment,
    })),
    ...replicas
      .filter((replica) => replica.received.segment >= first && !isOverdue(replica, limits, nowMs))
      .map(({ id, received }) => ({
        reason: id === UNKNOWN_REPLICAS ? "unknown replicas" : `replica ${id}`,
        segment: received.segment,
      })),
  ].toSorted((a, b) => a.segment - b.segment);
  let afterBytes = sizeFrom(segments, first);
  return segments.map(({ segment, sizeBytes, modifiedMs }) => {
    afterBytes -= sizeBytes;
    const reasons: string[] = [];
    for (const need of needs) {
      if (need.segment > segment || reasons.length === MAX_REASONS) break;
      reasons.push(need.reason);
    }
    if (afterBytes < limits.keepBytes) reasons.push("least size");
    if (isYoung(modifiedMs, limits, nowMs)) reasons.push("least time");
    return reasons;
  });
}

function firstToKeep(state: RetentionState, held: readonly HeldReplica[]): number {
  const { segments, snapshots, recovery, limits, nowMs } = state;
  const first = segments[0]?.segment ?? 1;
  const newest = newestOf(snapshots);
  if (newest === undefined) return first;
  const maxBytes = limits.maxBytes ?? Number.POSITIVE_INFINITY;
  const hard = Math.min(newest.cursor.segment, recovery.segment);
  const earliest = [...snapshots.map(({ cursor }) => cursor), ...held.map(({ received }) => received)]
    .map(({ segment }) => segment)
    // Who stands before the start holds nothing any more.
    .filter((segment) => segment >= first)
    .reduce((a, b) => Math.min(a, b), hard);
  let leftBytes = sizeFrom(segments, first);
  for (const { segment, sizeBytes, modifiedMs } of segments.slice(0, -1)) {
    const isHeld =
      segment >= earliest || leftBytes - sizeBytes < limits.keepBytes || isYoung(modifiedMs, limits, nowMs);
    const isWanted = isHeld && segment > (state.damagedThrough ?? 0);
    if (segment >= hard || (isWanted && leftBytes <= maxBytes)) return segment;
    leftBytes -= sizeBytes;
  }
  return segments.at(-1)?.segment ?? first;
}

/** A segment of the future, after a clock was set back, is as young as can be, and no younger. */
function isYoung(modifiedMs: number, { keepMs }: RetentionLimits, nowMs: number): boolean {
  return Math.max(0, nowMs - modifiedMs) < keepMs;
}

function isOverdue(replica: HeldReplica, limits: RetentionLimits, nowMs: number): boolean {
  const atMs = releaseAtMs(replica, limits);
  return atMs !== null && nowMs >= atMs;
}

function newestOf(snapshots: readonly NeededSnapshot[]): NeededSnapshot | undefined {
  return snapshots.toSorted((a, b) => compareCursors(a.cursor, b.cursor)).at(-1);
}

function sizeFrom(segments: readonly LogSegment[], first: number): number {
  return segments.reduce((sum, { segment, sizeBytes }) => (segment < first ? sum : sum + sizeBytes), 0);
}
