import { INACTIVE_AFTER_MS } from "./tracked-replica.ts";
import type { TrackedReplica } from "./tracked-replica.ts";

/** More than the longest time from one report of the server to the next, and from one look at the status to the next. */
const LAST_WORD_MS = 3_000;

/**
 * Nobody is given up before his last word: what is known of a replica that was heard of just now is some seconds old, and
 * it may be further on. Nor before it was announced, also where commits come so fast that all the room goes at once. That
 * delays what is to go by seconds, whatever replicas do.
 */
export class LastWords {
  private readonly openedMs: number;
  /** Since when somebody is to be given up who was heard of just now, or not announced long enough ago. */
  private sinceMs: number | undefined;

  /** @param openedMs since when this node runs, Unix ms */
  constructor(openedMs: number) {
    this.openedMs = openedMs;
  }

  /** Whether these may lose their place now. */
  mayGiveUp(replicas: readonly TrackedReplica[], nowMs: number): boolean {
    // Who followed until this node was restarted comes back in a moment.
    const openMs = nowMs - this.openedMs;
    const isJustOpen = openMs >= 0 && openMs < INACTIVE_AFTER_MS;
    if (isJustOpen && replicas.some(({ isInactive, wasSeen }) => !isInactive && !wasSeen)) return false;
    const isTooSoon = replicas.some(
      (replica) =>
        replica.isAsking(nowMs) ||
        nowMs - replica.lastSeenMs < LAST_WORD_MS ||
        nowMs - (replica.endangeredSinceMs ?? nowMs) < LAST_WORD_MS,
    );
    if (isTooSoon) this.sinceMs ??= nowMs;
    const waitedMs = isTooSoon ? nowMs - this.sinceMs! : LAST_WORD_MS;
    if (waitedMs >= 0 && waitedMs < LAST_WORD_MS) return false;
    this.sinceMs = undefined;
    return true;
  }
}
