import type { Txid } from "../units.ts";

/** Answers whose head is not applied yet, remembered one by one. */
const MAX_PENDING = 64;
/**
 * On top of what was asked for, before a held request counts as overrun: the way there and back, and a busy machine. So
 * long may also be between an answer and the next request.
 */
export const POLL_GRACE_MS = 2000;

/** An answer of the node that is followed. */
export interface Heard {
  /** When it arrived, monotonic. */
  readonly atMs: number;
  /** The newest transaction of that node when it answered. */
  readonly headTxid: Txid;
  /** The primary's clock then, Unix ms (header `wal-time`); null where the answer does not tell it. */
  readonly primaryTimeMs: number | null;
  /**
   * How long ago that transaction was known to be the primary's newest: 0 in an answer of the primary itself. A replica
   * that feeds others may be behind, and an answer may come out of a cache. Null: not known.
   */
  readonly ageMs: number | null;
}

export interface Lag {
  /** Age of what is applied; 0 while there is nothing newer. Null: not known. */
  readonly seconds: number | null;
  /** The primary's clock, Unix ms, as of which everything is applied; null where that clock is not known. */
  readonly freshAsOfMs: number | null;
}

/**
 * How old the state of a replica is, by the clock of its primary.
 *
 * Two facts make it out. The primary said at some moment what its newest transaction is: once that one is applied, the
 * replica is as fresh as that answer. And the newest applied transaction has a commit time: the replica is at least as
 * fresh as that. Ages between answers are measured by the monotonic clock alone, so that setting either machine's clock
 * shifts the moments that are shown, and never makes an age negative, nor larger than the time since it last had all.
 *
 * The primary's clock now is what it said, and the time since its answer *arrived*: too small by the way back, which
 * nobody knows. So an age is never shown too large by that, and too small by the way back at most. Of an answer that took
 * longer than it was asked to, the way back is made out by the primary's clock.
 *
 * While a request is held by the primary, there is nothing newer: the replica is fresh now. When it is held for longer
 * than was asked for, or fails, nothing of that is known any more, and the age counts from the last answer; likewise
 * after the process was stopped for a while, until the next answer. While its
 * own request is held, a node in between takes itself for fresh: so its word to those that it feeds may be too new by one
 * held request, for each node in between.
 *
 * Pure: all moments are handed in.
 */
export class Freshness {
  /** A pair of clock readings: the primary's (Unix ms) when the monotonic clock here said the other. */
  private anchor: { readonly primaryMs: number; readonly atMs: number } | undefined;
  /** Heads heard of and not applied, ascending, with the monotonic moment of their truth. */
  private pending: { readonly txid: Txid; readonly truthMs: number }[] = [];
  private txid: Txid | undefined;
  private commitTimeMs: number | null = null;
  /** As of this monotonic moment all was applied. */
  private freshMs: number | undefined;
  /** The last answer was that of a node that has all there is. */
  isSourceFresh = false;
  /** Until then the primary is taken to be in touch; undefined: it is not. */
  private overrunMs: number | undefined;
  /** The request that is not answered yet: when it went out, and by when an answer is on time. */
  private open: { readonly askedMs: number; readonly dueMs: number } | undefined;

  /** A request goes out, to be held for so long. Without an answer shortly before, it is no sign of the primary. */
  asked(atMs: number, waitMs: number): void {
    const dueMs = atMs + waitMs + POLL_GRACE_MS;
    if (this.isInTouch(atMs)) this.overrunMs = dueMs;
    this.open = { askedMs: atMs, dueMs };
  }

  /** The request has ended without an answer. */
  failed(): void {
    this.overrunMs = undefined;
    this.open = undefined;
  }

  heard({ atMs, headTxid, primaryTimeMs, ageMs }: Heard): void {
    const madeMs = this.madeMs(atMs, primaryTimeMs);
    this.open = undefined;
    // The next request goes out when this answer is dealt with.
    this.overrunMs = madeMs + POLL_GRACE_MS;
    if (primaryTimeMs !== null) this.anchor = { primaryMs: primaryTimeMs, atMs: madeMs };
    this.isSourceFresh = ageMs === 0;
    if (ageMs === null) return;
    // The same head again is the truth of a later moment.
    while (this.pending.length > 0 && this.pending.at(-1)!.txid >= headTxid) this.pending.pop();
    this.pending.push({ txid: headTxid, truthMs: madeMs - ageMs });
    if (this.pending.length > MAX_PENDING) this.thin();
    this.settle();
  }

  /** @param commitTimeMs the primary's clock, Unix ms; null where it is not known */
  applied(txid: Txid, commitTimeMs: number | null): void {
    // After a resync: what was heard says nothing of this state, and it may be older than what was here before.
    if (this.txid !== undefined && txid < this.txid) this.forget();
    this.txid = txid;
    this.commitTimeMs = commitTimeMs;
    this.settle();
  }

  /** The replica goes over to another history: nothing that was heard of the old one counts. */
  forget(): void {
    this.pending = [];
    this.freshMs = undefined;
    this.isSourceFresh = false;
    this.txid = undefined;
    this.commitTimeMs = null;
  }

  /** The primary's clock, Unix ms; null before it has told it. */
  primaryNowMs(nowMs: number): number | null {
    return this.anchor === undefined ? null : this.anchor.primaryMs + Math.max(0, nowMs - this.anchor.atMs);
  }

  lag(nowMs: number): Lag {
    const primaryNowMs = this.primaryNowMs(nowMs);
    const ageMs = this.ageMs(nowMs, primaryNowMs);
    return {
      seconds: ageMs === null ? null : ageMs / 1000,
      freshAsOfMs: ageMs === null || primaryNowMs === null ? null : Math.round(primaryNowMs - ageMs),
    };
  }

  /** Everything that the primary has is applied, as far as can be known. */
  isFresh(nowMs: number): boolean {
    const hasAll = this.pending.length === 0 && this.freshMs !== undefined;
    return this.isInTouch(nowMs) && this.isSourceFresh && hasAll;
  }

  /** The source has answered, and owes no other answer for too long. */
  isInTouch(nowMs: number): boolean {
    return this.overrunMs !== undefined && nowMs <= this.overrunMs;
  }

  /**
   * When an answer was given. One that is late may have lain about: the process was stopped, or its body was long on the
   * way. The primary's clock tells, as far as it was known before; but it was given after it was asked for.
   */
  private madeMs(atMs: number, primaryTimeMs: number | null): number {
    const { open, anchor } = this;
    if (open === undefined || atMs <= open.dueMs) return atMs;
    if (anchor === undefined || primaryTimeMs === null) return open.askedMs;
    const byClockMs = anchor.atMs + primaryTimeMs - anchor.primaryMs;
    return Math.min(atMs, Math.max(open.askedMs, byClockMs));
  }

  private ageMs(nowMs: number, primaryNowMs: number | null): number | null {
    if (this.isFresh(nowMs)) return 0;
    const ages: number[] = [];
    if (this.freshMs !== undefined) ages.push(Math.max(0, nowMs - this.freshMs));
    // A commit time ahead of the primary's clock: that clock was set back since, and tells nothing about this commit.
    if (primaryNowMs !== null && this.commitTimeMs !== null && this.commitTimeMs <= primaryNowMs)
      ages.push(primaryNowMs - this.commitTimeMs);
    return ages.length === 0 ? null : Math.min(...ages);
  }

  private settle(): void {
    const { txid } = this;
    if (txid === undefined) return;
    while (this.pending.length > 0 && this.pending[0]!.txid <= txid) {
      // A source that is behind may answer after one that was not: what is known once stays known.
      this.freshMs = Math.max(this.freshMs ?? -Infinity, this.pending.shift()!.truthMs);
    }
  }

  /** Forgets every second answer but the newest: until the one after it is applied, the age is shown too large. */
  private thin(): void {
    this.pending = this.pending.filter((_, index) => index % 2 === 1 || index === this.pending.length - 1);
  }
}
