import { TailraceError, asTailraceError, fromErrorData, toErrorData } from "../shared/errors.ts";
import type { ErrorData } from "../shared/errors.ts";
import type { Position } from "../shared/format/position.ts";
import { pauseMs } from "../shared/plan/backoff.ts";
import { START, remedyFor, step } from "../shared/plan/follow-state.ts";
import type { FollowEffect, FollowEvent, FollowMachine, Remedy, Work } from "../shared/plan/follow-state.ts";
import type { EngineStatus } from "../shared/status.ts";
import type { Txid } from "../shared/units.ts";
import { PeerError } from "./answers.ts";
import { followerStatus } from "./follower-status.ts";
import type { LastError } from "./follower-status.ts";
import type { LocalReplica } from "./local-replica.ts";
import { CHUNK_BYTES, LONG_POLL_MS } from "./receiver.ts";
import type { PeerHead, Receiver } from "./receiver.ts";
import type { SnapshotClient } from "./snapshot-client.ts";

/** Received and not applied: beyond it the primary is not asked for more. */
const MAX_BACKLOG_BYTES = 256 << 20;
/** Between two looks at the file's place and at the WAL while nothing comes. */
const TEND_EVERY_MS = 1000;
/** Another writer has the lock: the first pause, and the longest. */
const BUSY_PAUSE_MS = 5;
const MAX_BUSY_PAUSE_MS = 200;

export interface FollowerOptions {
  readonly local: LocalReplica;
  /** What has to be done first. */
  readonly work: Work;
  readonly receiver: Receiver;
  readonly client: SnapshotClient;
  readonly source: string;
  readonly replicaId: string;
  readonly file: string;
  readonly onForeignWrite: "stop" | "resync";
  /** Unix ms, for status. */
  readonly wallMs: () => number;
  readonly random: () => number;
  /** Resolves early when the signal says so; never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly events: FollowerEvents;
}

export interface FollowerEvents {
  /** The database exists, is proven to be at a state, and can be read. Once. */
  ready(): void;
  /** The file had vanished, and was fetched again: another one stands at the path. */
  rebuilt(): void;
  /** What was received up to here is as durable as it has to be, and applied as far as `position` says. */
  settled(position: Position): void;
  state(state: string): void;
  message(text: string): void;
  /** Only a human can help. */
  failed(error: TailraceError): void;
}

interface Interruption {
  readonly error: TailraceError;
  readonly remedy?: Remedy;
}

interface Waiter {
  readonly txid: Txid;
  readonly resolve: () => void;
  readonly reject: (error: TailraceError) => void;
}

/**
 * Follows a primary: carries out the effects of the follow machine, one at a time, and feeds it what came of them.
 * Received chunks are applied beside that: at once when they are small, in slices when they are many.
 */
export class Follower {
  private readonly options: FollowerOptions;
  private readonly closing = new AbortController();
  private machine: FollowMachine = START;
  private finished: Promise<void> | undefined;
  private applying: Promise<void> | undefined;
  private isResting = false;
  private interruption: Interruption | undefined;
  private request: AbortController | undefined;
  private tending: NodeJS.Timeout | undefined;
  private readonly waiters = new Set<Waiter>();
  private isReady = false;
  private hasMet = false;
  /** When the last failure came, the database was here. */
  private txidAtFailure: Txid = -1;
  private head: PeerHead | undefined;
  private lastContactMs: number | null = null;
  private nextTryMs: number | null = null;
  private lastError: LastError | null = null;
  private blockedBy: ErrorData | null = null;
  private retries = 0;
  private resyncs = 0;
  private bootstraps = 0;
  private progress: Record<string, number> | null = null;
  private retryAfterMs = 0;

  constructor(options: FollowerOptions) {
    this.options = options;
  }

  /** Begins. Everything after is told by the events. */
  start(): void {
    this.tending = setInterval(() => void this.tend(), TEND_EVERY_MS);
    this.finished = this.run();
  }

  /** To be called by the local replica after each commit. */
  applied({ applied }: Position): void {
    for (const waiter of this.waiters) if (applied.txid >= waiter.txid) waiter.resolve();
  }

  /** @throws timeout, closed, and whatever has stopped the replica */
  async waitFor(txid: Txid, timeoutMs: number): Promise<void> {
    if ((this.appliedTxid ?? -1) >= txid) return;
    if (this.machine.state === "stopped" || this.closing.signal.aborted) throw this.endError();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { txid, resolve, reject };
    this.waiters.add(waiter);
    const timer = new AbortController();
    const expire = async (): Promise<void> => {
      await this.options.sleep(timeoutMs, timer.signal);
      const message = `transaction ${txid} is not here after ${timeoutMs} ms; at ${this.appliedTxid ?? "none"}`;
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
    const deadlineMs = this.options.wallMs() + timeoutMs;
    // Until the first landing there is no place in the log to ask from.
    await this.waitFor(0, timeoutMs);
    const txid = await this.headTxid(deadlineMs);
    await this.waitFor(txid, Math.max(0, deadlineMs - this.options.wallMs()));
    return Math.max(txid, this.appliedTxid ?? 0);
  }

  /** Asks for the primary's head, again as long as what is in the way passes by itself. */
  private async headTxid(deadlineMs: number): Promise<Txid> {
    const { local, receiver, sleep, wallMs, random } = this.options;
    for (let failures = 1; ; failures++) {
      const { logId, epoch, applied } = local.position!;
      const cursor = local.received ?? applied.cursor;
      const request = { cursor, logId, epoch, appliedTxid: applied.txid, maxBytes: 1, waitMs: 0 };
      try {
        return (await receiver.fetch({ ...request, signal: this.closing.signal })).head.txid;
      } catch (error) {
        if (this.machine.state === "stopped") throw this.endError();
        const pause = pauseMs(failures, random());
        const remedy = remedyFor(asTailraceError(error).code, { onForeignWrite: "stop", hasMet: true });
        if (remedy === "stop" || wallMs() + pause > deadlineMs) throw error;
        await sleep(pause, this.closing.signal);
      }
    }
  }

  status(): EngineStatus {
    const { local, source, replicaId, file, wallMs } = this.options;
    return followerStatus({
      replicaId,
      source,
      file,
      local,
      machine: this.machine,
      head: this.head,
      isApplying: this.applying !== undefined,
      blockedBy: this.blockedBy,
      lastError: this.lastError,
      progress: this.progress,
      lastContactMs: this.lastContactMs,
      nextTryMs: this.nextTryMs,
      retries: this.retries,
      bootstraps: this.bootstraps,
      resyncs: this.resyncs,
      nowMs: wallMs(),
    });
  }

  /** Ends following, and leaves the replica's files in order. */
  async close(): Promise<void> {
    if (!this.closing.signal.aborted) {
      clearInterval(this.tending);
      const reason = new TailraceError("closed", "the replica is closing");
      this.closing.abort(reason);
      this.request?.abort(reason);
      this.rejectWaiters(this.endError());
    }
    await this.finished;
  }

  private async run(): Promise<void> {
    const { local, work } = this.options;
    try {
      this.machine = START;
      let event: FollowEvent = { type: "opened", work };
      for (;;) {
        const { machine, effect } = step(
          this.machine,
          this.closing.signal.aborted ? { type: "close" } : event,
        );
        if (machine.state !== this.machine.state) this.options.events.state(machine.state);
        this.machine = machine;
        if (machine.state === "closed") break;
        event = await this.perform(effect);
      }
    } finally {
      await this.rest();
      await local.close();
    }
  }

  private async perform(effect: FollowEffect): Promise<FollowEvent> {
    this.request = new AbortController();
    try {
      if (effect === "receive") return await this.receive(this.request.signal);
      if (effect === "bootstrap" || effect === "resync") {
        await this.rest();
        await this.land(effect);
        return { type: "landed" };
      }
      if (effect === "pause") {
        await this.pause();
        return { type: "pause-over" };
      }
      clearInterval(this.tending);
      await this.closed();
      return { type: "close" };
    } catch (thrown) {
      return this.failure(thrown);
    } finally {
      this.request = undefined;
      this.progress = null;
    }
  }

  private async receive(signal: AbortSignal): Promise<FollowEvent> {
    const { local, receiver, events } = this.options;
    await this.stand();
    this.throwInterruption();
    // What was received before a failure may still wait to be applied.
    this.apply();
    while (local.backlogBytes > MAX_BACKLOG_BYTES && this.applying !== undefined) await this.applying;
    // An applier that fails gives up the standing at once, and says why a moment later.
    if (local.received === undefined) await this.applying;
    this.throwInterruption();
    const position = local.position!;
    const chunk = await receiver.fetch({
      cursor: local.received!,
      logId: position.logId,
      epoch: position.epoch,
      appliedTxid: position.applied.txid,
      maxBytes: CHUNK_BYTES,
      waitMs: LONG_POLL_MS,
      signal,
    });
    this.met();
    this.head = chunk.head;
    this.throwInterruption();
    local.receive(chunk);
    this.apply();
    local.syncReceived();
    this.throwInterruption();
    const { applied } = local.position!;
    events.settled(local.position!);
    const isCaughtUp = chunk.isEof && applied.txid >= chunk.head.txid;
    return {
      type: "received",
      isEof: chunk.isEof,
      isProgress: isCaughtUp || applied.txid > this.txidAtFailure,
    };
  }

  private async stand(): Promise<void> {
    const { local, events } = this.options;
    this.throwIfGone();
    await local.stand();
    if (this.isReady) return;
    this.isReady = true;
    this.applied(local.position!);
    // What is here can be served on, whether or not the primary can be reached.
    local.syncReceived();
    events.settled(local.position!);
    events.ready();
  }

  private async land(kind: "bootstrap" | "resync"): Promise<void> {
    const { local, client, source, events } = this.options;
    const { signal } = this.closing;
    if (kind === "bootstrap") {
      events.message(`fetching a snapshot from ${source}`);
      const onProgress = (doneBytes: number, totalBytes: number): void => {
        this.progress = { doneBytes, totalBytes };
      };
      await local.bootstrap(client, onProgress, signal);
      this.bootstraps += 1;
      events.message(`the snapshot is here: transaction ${local.position!.applied.txid}`);
    } else {
      this.throwIfGone();
      const onProgress = (fetchedPages: number): void => {
        this.progress = { fetchedPages };
      };
      const fetchedPages = await local.resync(client, onProgress, signal);
      this.resyncs += 1;
      events.message(
        `resync: ${fetchedPages} pages differed; at transaction ${local.position!.applied.txid}`,
      );
    }
    this.met();
    const isRebuilt = kind === "bootstrap" && this.isReady;
    await this.stand();
    // Before those who wait for a transaction: they are to look for it in the new file.
    if (isRebuilt) events.rebuilt();
    this.applied(local.position!);
    events.settled(local.position!);
  }

  /** Applies what is there, beside everything else. A small batch is in the database when this returns. */
  private apply(): void {
    this.applying ??= this.drain().finally(() => {
      this.applying = undefined;
    });
  }

  private async drain(): Promise<void> {
    const { local, events, sleep } = this.options;
    let busy = 0;
    while (!this.isResting && !this.closing.signal.aborted) {
      try {
        const hasApplied = await local.applyNext();
        this.blockedBy = null;
        busy = 0;
        if (!hasApplied) return;
        if (local.backlogBytes === 0) events.settled(local.position!);
      } catch (thrown) {
        const error = asTailraceError(thrown);
        if (error.code !== "database_busy") return this.interrupt({ error });
        this.blockedBy = toErrorData(error);
        await sleep(Math.min(BUSY_PAUSE_MS * 2 ** busy++, MAX_BUSY_PAUSE_MS), this.closing.signal);
      }
    }
  }

  /** Lets the applier come to a stop between two batches. */
  private async rest(): Promise<void> {
    this.isResting = true;
    await this.applying;
    this.isResting = false;
  }

  /** Something beside the receiver has failed: it shows at the receiver's next step, which is now. */
  private interrupt(interruption: Interruption): void {
    this.interruption = interruption;
    this.request?.abort(interruption.error);
  }

  private throwInterruption(): void {
    if (this.interruption !== undefined) throw this.interruption.error;
  }

  private throwIfGone(): void {
    if (!this.options.local.isGone) return;
    this.interruption = this.gone();
    throw this.interruption.error;
  }

  private gone(): Interruption {
    const error = new TailraceError("storage_failed", `${this.options.file} is gone`, { retryable: true });
    return { error, remedy: "bootstrap" };
  }

  private async tend(): Promise<void> {
    const { local } = this.options;
    if (this.applying !== undefined || this.request === undefined || this.machine.work !== "receive") return;
    try {
      if ((await local.tend()) === "here") return;
      this.interrupt(this.gone());
    } catch (thrown) {
      this.interrupt({ error: asTailraceError(thrown) });
    }
  }

  private async pause(): Promise<void> {
    const ms = pauseMs(this.machine.failures, this.options.random(), this.retryAfterMs);
    this.nextTryMs = this.options.wallMs() + ms;
    this.retries += 1;
    await this.options.sleep(ms, this.closing.signal);
    this.nextTryMs = null;
  }

  private async failure(thrown: unknown): Promise<FollowEvent> {
    if (this.closing.signal.aborted) return { type: "close" };
    const { interruption } = this;
    this.interruption = undefined;
    const error = interruption?.error ?? asTailraceError(thrown);
    const { onForeignWrite, events, local, wallMs } = this.options;
    const remedy = interruption?.remedy ?? remedyFor(error.code, { onForeignWrite, hasMet: this.hasMet });
    const isNews = this.lastError?.code !== error.code || this.machine.failures === 0;
    this.lastError = { ...toErrorData(error), timeMs: wallMs() };
    this.txidAtFailure = local.position?.applied.txid ?? -1;
    this.retryAfterMs = error instanceof PeerError ? error.retryAfterMs : 0;
    if (remedy === "bootstrap") await this.rest().then(() => local.letGo());
    if (remedy === "stop") {
      this.rejectWaiters(error);
      events.failed(error);
    } else if (isNews) {
      events.message(`${error.code}: ${error.message} (${NEXT[remedy]})`);
    }
    return { type: "failed", remedy };
  }

  private async closed(): Promise<void> {
    const { signal } = this.closing;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  private met(): void {
    this.hasMet = true;
    this.lastContactMs = this.options.wallMs();
  }

  private rejectWaiters(error: TailraceError): void {
    for (const waiter of this.waiters) waiter.reject(error);
  }

  private endError(): TailraceError {
    if (this.closing.signal.aborted || this.lastError === null)
      return new TailraceError("closed", "the replica was closed");
    const { message, ...rest } = this.lastError;
    return fromErrorData({ ...rest, message: `the replica has stopped: ${message}` });
  }

  private get appliedTxid(): Txid | undefined {
    return this.isReady ? this.options.local.position?.applied.txid : undefined;
  }
}

const NEXT: Record<Remedy, string> = {
  retry: "trying again",
  resync: "comparing pages with the primary",
  bootstrap: "fetching a snapshot",
  stop: "stopped",
};
