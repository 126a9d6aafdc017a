import { TailraceError, asTailraceError } from "../shared/errors.ts";
import { pauseMs } from "../shared/plan/backoff.ts";
import { remedyFor } from "../shared/plan/follow-state.ts";
import type { Txid } from "../shared/units.ts";
import type { LocalReplica } from "./local-replica.ts";
import type { Receiver } from "./receiver.ts";

export interface WaitingOptions {
  readonly local: LocalReplica;
  readonly receiver: Receiver;
  /** What readers of the file see; undefined before the database is proven to be at a state for the first time. */
  readonly appliedTxid: () => Txid | undefined;
  /** Unix ms. */
  readonly wallMs: () => number;
  readonly random: () => number;
  /** Resolves early when the signal says so; never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

interface Waiter {
  readonly txid: Txid;
  readonly resolve: () => void;
  readonly reject: (error: TailraceError) => void;
}

/** Those who wait until readers of the replica see a transaction. */
export class Waiting {
  private readonly options: WaitingOptions;
  private readonly waiters = new Set<Waiter>();
  private readonly ending = new AbortController();
  private ended: TailraceError | undefined;

  constructor(options: WaitingOptions) {
    this.options = options;
  }

  /** Readers see this transaction now. */
  applied(txid: Txid): void {
    for (const waiter of this.waiters) if (txid >= waiter.txid) waiter.resolve();
  }

  /** Nothing will be applied any more: whoever waits, or comes to wait, is told why. A later reason replaces the first. */
  end(error: TailraceError): void {
    this.ended = error;
    this.ending.abort(error);
    for (const waiter of this.waiters) waiter.reject(error);
  }

  /** @throws timeout, and what it was {@link end}ed with */
  async waitFor(txid: Txid, timeoutMs: number): Promise<void> {
    const { appliedTxid, sleep } = this.options;
    if ((appliedTxid() ?? -1) >= txid) return;
    if (this.ended !== undefined) throw this.ended;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { txid, resolve, reject };
    this.waiters.add(waiter);
    const timer = new AbortController();
    const expire = async (): Promise<void> => {
      await sleep(timeoutMs, timer.signal);
      const message = `transaction ${txid} is not here after ${timeoutMs} ms; at ${appliedTxid() ?? "none"}`;
      reject(new TailraceError("timeout", message, { retryable: true }));
    };
    void expire();
    try {
      await promise;
    } finally {
      timer.abort();
      this.waiters.delete(waiter);
    }
  }

  /** Catches up with the primary's head as of now. @throws unreachable and the like; what {@link waitFor} throws */
  async sync(timeoutMs: number): Promise<Txid> {
    const { wallMs, appliedTxid } = this.options;
    const deadlineMs = wallMs() + timeoutMs;
    const txid = await this.headTxid(deadlineMs);
    await this.waitFor(txid, Math.max(0, deadlineMs - wallMs()));
    return Math.max(txid, appliedTxid() ?? 0);
  }

  /** Asks for the primary's head, again as long as what is in the way passes by itself. */
  private async headTxid(deadlineMs: number): Promise<Txid> {
    const { local, receiver, sleep, wallMs, random } = this.options;
    const { signal } = this.ending;
    for (let failures = 1; ; failures++) {
      // Before the first landing, and during any other, there is no place in the log to ask from.
      await this.waitFor(0, Math.max(0, deadlineMs - wallMs()));
      const { logId, epoch, applied } = local.position!;
      const cursor = local.received ?? applied.cursor;
      const at = { cursor, logId, epoch, appliedTxid: applied.txid, appliedChecksum: applied.checksum };
      // What is there may be on its way to the disk still.
      const request = { ...at, maxBytes: 1, waitMs: 0, isAhead: true, signal };
      try {
        return (await receiver.fetch(request)).head.txid;
      } catch (error) {
        if (this.ended !== undefined) throw this.ended;
        const pause = pauseMs(failures, random());
        const remedy = remedyFor(asTailraceError(error).code, { onForeignWrite: "stop", hasMet: true });
        if (remedy === "stop" || wallMs() + pause > deadlineMs) throw error;
        await sleep(pause, signal);
      }
    }
  }
}
