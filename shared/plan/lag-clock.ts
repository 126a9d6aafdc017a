import type { Txid } from "../units.ts";

/** More spans than this are thinned. About 100 KiB of memory. */
const MAX_SPANS = 2048;
/** What thinning may leave; an age of years comes to fewer spans than this. */
const SPANS_AFTER_THINNING = 1536;
/** A span may be this long, however young it is … */
const MIN_SPAN_MS = 10;
/** … and as long as this part of its age. */
const SPAN_PER_AGE = 1 / 32;

/** Transactions that follow each other, and between which times they were committed. */
interface Span {
  readonly from: Txid;
  to: Txid;
  readonly firstMs: number;
  lastMs: number;
}

/**
 * When which transaction was committed, as far as that is needed to say how old the oldest one is that somebody has not
 * applied. All times are of one clock, that of commits.
 *
 * It is told of heads, and takes all transactions between two of them for committed at the time of the later one. Its
 * memory is bounded: spans of transactions are made coarser with age. That never makes a lag smaller; it makes it larger
 * by at most 10 ms or a thirty-second part of it, whichever is more.
 */
export class LagClock {
  /** Ascending, without holes from the first to the last. */
  private spans: Span[] = [];
  private newest: Txid | undefined;

  /** The newest transaction noted. */
  get headTxid(): Txid | undefined {
    return this.newest;
  }

  /**
   * A new head: everything up to there is committed. One that is not newer says nothing.
   *
   * @param commitTimeMs of that transaction; null where it is not known: nothing before it is covered then
   */
  note(txid: Txid, commitTimeMs: number | null): void {
    const { newest } = this;
    if (newest !== undefined && txid <= newest) return;
    this.newest = txid;
    if (commitTimeMs === null) {
      this.spans = [];
      return;
    }
    // Of the first head nobody knows when the transactions before it were.
    const from = newest === undefined ? txid : newest + 1;
    this.spans.push({ from, to: txid, firstMs: commitTimeMs, lastMs: commitTimeMs });
    if (this.spans.length > MAX_SPANS) this.thin();
  }

  /**
   * When the oldest transaction was committed that comes after this one.
   *
   * @returns null when there is none, and when it was so long ago that it is not covered: {@link headTxid} tells which
   */
  oldestAfterMs(appliedTxid: Txid): number | null {
    const wanted = appliedTxid + 1;
    const first = this.spans[0];
    if (first === undefined || wanted < first.from || this.newest === undefined || wanted > this.newest)
      return null;
    let low = 0;
    let high = this.spans.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.spans[middle]!.to < wanted) low = middle + 1;
      else high = middle;
    }
    return this.spans[low]!.firstMs;
  }

  /**
   * How far behind somebody is who has applied everything up to this transaction.
   *
   * @param nowMs by the clock of the commits
   * @returns 0 when it has all; null when that is not covered
   */
  lagMs(appliedTxid: Txid, nowMs: number): number | null {
    if (this.newest === undefined) return null;
    if (appliedTxid >= this.newest) return 0;
    const sinceMs = this.oldestAfterMs(appliedTxid);
    return sinceMs === null ? null : Math.max(0, nowMs - sinceMs);
  }

  private thin(): void {
    const newestMs = this.spans.at(-1)!.lastMs;
    const thinned: Span[] = [];
    for (const span of this.spans) {
      const last = thinned.at(-1);
      // Measured from the younger end: a lag that is counted from it is at least so large.
      const allowedMs = Math.max(MIN_SPAN_MS, (newestMs - span.lastMs) * SPAN_PER_AGE);
      // A clock that went back shows as a span of negative length, and is not joined.
      const lengthMs = last === undefined ? -1 : span.lastMs - last.firstMs;
      if (last !== undefined && lengthMs >= 0 && lengthMs <= allowedMs && span.firstMs >= last.lastMs) {
        last.to = span.to;
        last.lastMs = span.lastMs;
      } else {
        thinned.push(span);
      }
    }
    // Only a clock that goes back and forth leaves more.
    this.spans = thinned.slice(-SPANS_AFTER_THINNING);
  }
}
