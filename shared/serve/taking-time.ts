import type { ServerResponse } from "node:http";
import type { ServeLimits } from "./limits.ts";

const MAX_TIMER_MS = 2 ** 31 - 1;

type PaceLimits = Pick<ServeLimits, "answerGraceMs" | "minBytesPerSecond">;

/**
 * Cuts the connection unless so many bytes are taken in the time that this may last. A reader that takes a byte now and
 * then is not idle, and would hold for ever what is kept for it: memory, a snapshot and the log after that.
 */
export function limitTaking(outgoing: ServerResponse, bytes: number, limits: PaceLimits): void {
  const limitMs = limits.answerGraceMs + (bytes * 1000) / limits.minBytesPerSecond;
  const timer = setTimeout(() => outgoing.destroy(), Math.min(limitMs, MAX_TIMER_MS)).unref();
  outgoing.once("close", () => clearTimeout(timer));
}

/** The same for an answer that is handed over whole: from when that is done, if not all of it is taken at once. */
export function limitTakingOfRest(outgoing: ServerResponse, limits: PaceLimits): void {
  outgoing.once("prefinish", () => {
    if (outgoing.writableLength > 0) limitTaking(outgoing, outgoing.writableLength, limits);
  });
}
