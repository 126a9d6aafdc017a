import type { RetentionLimits } from "./retention.ts";

/** The part of the most that the log may hold, at which a replica is announced as endangered … */
const ENDANGERED_PART = 1 / 4;
/** … or so long before it is lost at the present rate; but not while it is within what is kept anyway. */
const ENDANGERED_SECONDS = 3600;
/** It is out of danger again only when there is half as much more: what is announced must not flutter. */
const RELIEF = 1.5;

export type RoomStatus = "reserved" | "extended" | "endangered";

/** How a replica stands in the log that is kept for it. */
export interface ReplicaStanding {
  /** Log bytes from the start of the segment that it reads, to the end: what is kept because of it. */
  readonly heldBytes: number;
  /** It waits at the end. */
  readonly isAtEnd: boolean;
  /** That segment is the one being written, which never goes. */
  readonly isInNewest: boolean;
  /** That segment would be kept without any replica, too. */
  readonly isKeptAnyway: boolean;
  /** By how much the log outgrows it; null when that is not known. */
  readonly netBytesPerSecond: number | null;
  /** What was said of it last. */
  readonly before: RoomStatus;
}

export interface ReplicaRoom {
  readonly retention: RoomStatus;
  /** How much the log may still grow before it loses its place; null: there is no limit. */
  readonly bytesUntilLost: number | null;
  /** At the present rate; null when it will not happen at that rate, or is not known. */
  readonly secondsUntilLost: number | null;
}

/** How much room a replica has before it is given up. */
export function judgeRoom(
  { heldBytes, isAtEnd, isInNewest, isKeptAnyway, netBytesPerSecond, before }: ReplicaStanding,
  { maxBytes }: Pick<RetentionLimits, "maxBytes">,
): ReplicaRoom {
  const plain = isAtEnd || isKeptAnyway ? "reserved" : "extended";
  if (maxBytes === null) return { retention: plain, bytesUntilLost: null, secondsUntilLost: null };
  const bytesUntilLost = Math.max(0, Math.floor(maxBytes - heldBytes));
  // Who is at the end is not outgrown: what a rate says of it is noise.
  const isOutgrown = !isAtEnd && netBytesPerSecond !== null && netBytesPerSecond > 0;
  const secondsUntilLost = isOutgrown ? bytesUntilLost / netBytesPerSecond : null;
  const factor = before === "endangered" ? RELIEF : 1;
  const isNear = !isInNewest && bytesUntilLost <= maxBytes * ENDANGERED_PART * factor;
  const isSoon =
    !isKeptAnyway && secondsUntilLost !== null && secondsUntilLost <= ENDANGERED_SECONDS * factor;
  const isEndangered = isNear || isSoon;
  return { retention: isEndangered ? "endangered" : plain, bytesUntilLost, secondsUntilLost };
}
