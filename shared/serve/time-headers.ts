import { HEADER } from "../protocol.ts";
import type { NodeHead } from "./engine.ts";

/** An engine that owes an answer for longer may have died of its disk: what it said last is no longer of now. */
const SILENCE_MS = 2_000;

/**
 * The primary's clock, and as of when the head was all there is, by that clock. What the replica's lag is measured by.
 *
 * @param nowMs this node's clock, Unix ms, when it looked at the head
 * @param owedSinceMs since when, by the same clock, the engine owes an answer
 */
export function timeHeaders(
  { clockOffsetMs = 0, freshAsOfMs = null }: NodeHead,
  nowMs: number,
  owedSinceMs: number | undefined,
): Record<string, string> {
  if (clockOffsetMs === null) return {};
  const isSilent = owedSinceMs !== undefined && nowMs - owedSinceMs > SILENCE_MS;
  const heardMs = isSilent ? owedSinceMs + clockOffsetMs : Infinity;
  const freshMs = Math.min(freshAsOfMs ?? Infinity, heardMs);
  return {
    [HEADER.time]: unixMs(nowMs + clockOffsetMs),
    ...(freshMs === Infinity ? {} : { [HEADER.freshTime]: unixMs(Math.floor(freshMs)) }),
  };
}

/** A primary without a clock of its own begins at 0: a moment before that is none that a header can tell. */
function unixMs(ms: number): string {
  return String(Math.max(0, Math.round(ms)));
}
