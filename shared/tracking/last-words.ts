import { INACTIVE_AFTER_MS } from "./tracked-replica.ts";
import type { TrackedReplica } from "./tracked-replica.ts";

/** More than the longest time from one report of the server to the next. */
const LAST_WORD_MS = 3_000;

/**
 * Nobody is given up before his last word: what is known of a replica that was heard of just now is some seconds old, and
 * it may be further on. That delays what is to go by seconds, whatever replicas do.
 */
export class LastWords {
  private readonly openedMs: number;
  /** Since when somebody is to be given up who was heard of just now. */
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
    const isTalking = replicas.some(
      (replica) => replica.isAsking(nowMs) || nowMs - replica.lastSeenMs < LAST_WORD_MS,
    );
    if (isTalking) this.sinceMs ??= nowMs;
    const waitedMs = isTalking ? nowMs - this.sinceMs! : LAST_WORD_MS;
    if (waitedMs >= 0 && waitedMs < LAST_WORD_MS) return false;
    this.sinceMs = undefined;
    return true;
  }
}
