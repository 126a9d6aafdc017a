import { compareCursors } from "../format/cursor.ts";
import type { Cursor } from "../units.ts";

/** Who stood at the end so long ago, or later, counts as being at the end: what is known of replicas is as old. */
const WITHIN_MS = 2000;
const SAMPLE_MS = 250;

interface End {
  readonly timeMs: number;
  readonly end: Cursor;
}

/** Where the end of the log was in the last two seconds. */
export class RecentEnds {
  /** In order of time. The first is older than two seconds where there is any such: it was the end until the next. */
  private ends: End[] = [];
  private newest: End | undefined;

  note(end: Cursor, timeMs: number): void {
    const { newest } = this;
    if (newest !== undefined && compareCursors(end, newest.end) === 0) return;
    this.newest = { timeMs, end };
    if (newest !== undefined && timeMs < newest.timeMs) this.ends = [];
    const last = this.ends.at(-1);
    // Samples, but none is left out that was the end for long.
    if (newest !== undefined && newest !== last && timeMs - newest.timeMs >= SAMPLE_MS)
      this.ends.push(newest);
    if (last === undefined || timeMs - last.timeMs >= SAMPLE_MS) this.ends.push(this.newest);
    this.prune(timeMs);
  }

  /** Whether a place is the end, as of now or a moment ago. */
  isAtEnd(place: Cursor, nowMs: number): boolean {
    const { newest } = this;
    if (newest === undefined) return false;
    this.prune(nowMs);
    const isLongSince = nowMs - newest.timeMs >= WITHIN_MS;
    const earliest = isLongSince ? newest : (this.ends[0] ?? newest);
    return compareCursors(place, earliest.end) >= 0;
  }

  private prune(nowMs: number): void {
    while (this.ends.length > 1 && nowMs - this.ends[1]!.timeMs >= WITHIN_MS) this.ends.shift();
  }
}
