import { compareCursors } from "../format/cursor.ts";
import type { Sighting } from "../serve/engine.ts";
import type { Cursor, Txid } from "../units.ts";
import type { RecentEnds } from "./recent-ends.ts";

/** A sighting whose numbers are within the log, whatever the replica claims. */
export interface SoundSighting extends Sighting {
  readonly logId: string;
  /** It stands at the end of the log. */
  readonly isAtEnd: boolean;
}

/** The log that it is a sighting in. */
export interface SightingLog {
  readonly logId: string;
  readonly end: Cursor;
  readonly headTxid: Txid | undefined;
  readonly ends: RecentEnds;
}

/** A sighting without anything that cannot be. @param nowMs Unix ms */
export function soundSighting(
  sighting: Sighting,
  { logId, end, headTxid = 0, ends }: SightingLog,
  nowMs: number,
): SoundSighting {
  const { received, sent, appliedTxid } = sighting;
  const within = (cursor: Cursor): Cursor => (compareCursors(cursor, end) > 0 ? end : cursor);
  return {
    ...sighting,
    logId,
    received: within(received),
    sent: sent === null ? null : within(sent),
    // Nobody has applied what does not exist.
    appliedTxid: appliedTxid === null || appliedTxid > headTxid ? null : appliedTxid,
    lastSeenMs: Math.min(sighting.lastSeenMs, nowMs),
    isAtEnd: ends.isAtEnd(within(received), nowMs),
  };
}
