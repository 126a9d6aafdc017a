import { TailraceError, asTailraceError, fromErrorData } from "../shared/errors.ts";
import type { ErrorData } from "../shared/errors.ts";
import type { Position } from "../shared/format/position.ts";
import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Notice } from "../shared/notice.ts";
import { pauseMs } from "../shared/plan/backoff.ts";
import { START, remedyFor, step } from "../shared/plan/follow-state.ts";
import type { FollowEffect, FollowEvent, FollowMachine, Work } from "../shared/plan/follow-state.ts";
import { Freshness } from "../shared/plan/freshness.ts";
import { recentError } from "../shared/recent-errors.ts";
import type { SourceStanding } from "../shared/serve/engine.ts";
import { NoRoomError } from "../shared/storage/disk-room.ts";
import type { Txid } from "../shared/units.ts";
import { ApplyLoop } from "./apply-loop.ts";
import { followerStatus } from "./follower-status.ts";
import type { FollowerStatus } from "./follower-status.ts";
import { databaseGone, fileGone, walGone } from "./interruption.ts";
import type { Interruption } from "./interruption.ts";
import { Landing } from "./landing.ts";
import type { LocalReplica } from "./local-replica.ts";
import { LogIntake } from "./log-intake.ts";
import type { Receiver } from "./receiver.ts";
import type { SnapshotClient } from "./snapshot-client.ts";
import { Troubles } from "./troubles.ts";
import { Waiting } from "./waiting.ts";

/** Between two looks at the file's place and at the WAL while nothing comes. */
const TEND_EVERY_MS = 1000;
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
  /** For ages and spans of time: never set. */
  readonly monotonicMs: () => number;
  readonly random: () => number;
  /** Resolves early when the signal says so; never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly metrics: ReplicaEngineMetrics;
  readonly events: FollowerEvents;
}

export interface FollowerEvents {
  /** The database exists, is proven to be at a state, and can be read. Once. */
  ready(): void;
  /** The file had vanished, and was fetched again: another one stands at the path. */
  rebuilt(): void;
  /** What was received up to here is as durable as it has to be, and applied as far as `position` says. */
  settled(position: Position): void;
  /** Every second, whatever happens: for what changes with time alone. */
  tended(): void;
  state(state: string): void;
  notice(notice: Notice): void;
  /** Only a human can help. */
  failed(error: TailraceError): void;
}

/**
 * Follows a primary: carries out the effects of the follow machine, one at a time, and feeds it what came of them.
 * Received chunks are applied beside that: at once when they are small, in slices when they are many.
 */
export class Follower {
  private readonly options: FollowerOptions;
  private readonly closing = new AbortController();
  private readonly waiting: Waiting;
  private readonly freshness = new Freshness();
  private readonly troubles: Troubles;
  private readonly landing: Landing;
  private readonly applying: ApplyLoop;
  private readonly intake: LogIntake;
  private machine: FollowMachine = START;
  private finished: Promise<void> | undefined;
  private interruption: Interruption | undefined;
  private request: AbortController | undefined;
  private tending: NodeJS.Timeout | undefined;
  private isReady = false;
  private hasMet = false;
  /** The database that readers have opened is not the one that is there next. */
  private isAnew = false;
  private lastContactMs: number | null = null;
  private nextTryMs: number | null = null;
  private retries = 0;
  constructor(options: FollowerOptions) {
    this.options = options;
    const tell = (notice: Notice): void => options.events.notice(notice);
    this.waiting = new Waiting({ ...options, appliedTxid: () => this.appliedTxid });
    this.troubles = new Troubles(tell, options, options.metrics);
    this.landing = new Landing({ ...options, tell });
    this.applying = new ApplyLoop({
      ...options,
      signal: this.closing.signal,
      onDrained: () => this.intake.settle(),
      onFailed: (error) => this.interrupt({ error }),
    });
    this.intake = new LogIntake({
      ...options,
      applying: this.applying,
      freshness: this.freshness,
      throwInterruption: () => this.throwInterruption(),
      onMet: () => this.met(),
      onSettled: (position) => options.events.settled(position),
    });
  }

  /** Begins. Everything after is told by the events. */
  start(): void {
    this.tending = setInterval(() => void this.tend(), TEND_EVERY_MS);
    this.finished = this.run();
  }

  /** To be called by the local replica after each commit. */
  applied({ applied, commitTimeMs }: Position): void {
    this.freshness.applied(applied.txid, commitTimeMs || null);
    this.waiting.applied(applied.txid);
  }

  /** @throws timeout, closed, and whatever has stopped the replica */
  waitFor(txid: Txid, timeoutMs: number): Promise<void> {
    return this.waiting.waitFor(txid, timeoutMs);
  }

  /** Catches up with the primary's head as of now. @throws unreachable and the like; what {@link waitFor} throws */
  sync(timeoutMs: number): Promise<Txid> {
    return this.waiting.sync(timeoutMs);
  }

  /** Log bytes received since the start. */
  get receivedBytes(): number {
    return this.intake.receivedBytes;
  }

  /** The primary's clock, Unix ms; null before it has told it. */
  get primaryNowMs(): number | null {
    return this.freshness.primaryNowMs(this.options.monotonicMs());
  }

  /** The primary's clock, Unix ms, as of which everything is applied; null where it is not known. */
  get freshAsOfMs(): number | null {
    const nowMs = this.options.monotonicMs();
    return this.freshness.isFresh(nowMs) ? this.primaryNowMs : this.freshness.lag(nowMs).freshAsOfMs;
  }

  /** What those that this replica feeds have to know, besides its log. */
  get sourceStanding(): SourceStanding {
    const { wallMs, monotonicMs } = this.options;
    const sourceEnd = this.intake.head?.cursor ?? null;
    const nowMs = monotonicMs();
    const { primaryNowMs } = this;
    const isFresh = this.freshness.isFresh(nowMs);
    const { freshAsOfMs } = this.freshness.lag(nowMs);
    // Who does not know how old his own state is has no word on the time for others.
    if (primaryNowMs === null || freshAsOfMs === null)
      return { clockOffsetMs: null, freshAsOfMs: null, sourceEnd };
    const clockOffsetMs = Math.round(primaryNowMs - wallMs());
    return { clockOffsetMs, freshAsOfMs: isFresh ? null : freshAsOfMs, sourceEnd };
  }

  /** Something beside following has failed. */
  noteError(error: ErrorData): void {
    this.troubles.errors.add(recentError(error, this.options.wallMs()));
  }

  status(): FollowerStatus {
    const { local, source, replicaId, file, wallMs, monotonicMs } = this.options;
    return followerStatus({
      replicaId,
      source,
      file,
      local,
      machine: this.machine,
      head: this.intake.head,
      age: this.freshness.lag(monotonicMs()),
      isApplying: this.applying.stopping !== undefined,
      blockedBy: this.applying.blockedBy,
      errors: this.troubles.errors,
      progress: this.landing.progress,
      lastContactMs: this.lastContactMs,
      nextTryMs: this.nextTryMs,
      retries: this.retries,
      receivedBytes: this.receivedBytes,
      bootstraps: this.landing.bootstraps,
      resyncs: this.landing.resyncs,
      lastResync: this.landing.lastResync,
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
      this.waiting.end(new TailraceError("closed", "the replica was closed"));
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
      await this.applying.rest();
      await local.close();
    }
  }

  private async perform(effect: FollowEffect): Promise<FollowEvent> {
    this.request = new AbortController();
    try {
      if (effect === "receive") return await this.receive(this.request.signal);
      if (effect === "bootstrap" || effect === "resync") {
        await this.applying.rest();
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
    }
  }

  private async receive(signal: AbortSignal): Promise<FollowEvent> {
    await this.stand();
    const { isEof, isCaughtUp, txid } = await this.intake.receive(signal);
    const isProgress = isCaughtUp || txid > this.troubles.txid;
    if (isCaughtUp) this.troubles.overcome(txid);
    return { type: "received", isEof, isProgress };
  }

  private async stand(): Promise<void> {
    const { local, events } = this.options;
    this.throwIfGone();
    await local.stand();
    if (this.isReady) return;
    this.applied(local.position!);
    // What is here can be served on, whether or not the primary can be reached.
    await this.intake.sync();
    events.settled(local.position!);
    // Not before: where the disk fails, the next attempt tells of it.
    this.isReady = true;
    events.ready();
  }

  private async land(kind: "bootstrap" | "resync"): Promise<void> {
    const { local, events } = this.options;
    const before = local.position;
    if (kind === "resync") this.throwIfGone();
    await this.landing[kind](this.closing.signal);
    this.met();
    const isRebuilt = this.isAnew && this.isReady;
    this.isAnew = false;
    if (before?.logId !== local.position!.logId) this.freshness.forget();
    // From before: the state that was fetched may be past it.
    this.intake.head = undefined;
    await this.stand();
    // Before those who wait for a transaction: they are to look for it in the new file.
    if (isRebuilt) events.rebuilt();
    this.applied(local.position!);
    events.settled(local.position!);
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
    const { local, file } = this.options;
    if (!local.isGone) return;
    this.interruption = databaseGone(file);
    throw this.interruption.error;
  }

  private async tend(): Promise<void> {
    const { local, events, file } = this.options;
    events.tended();
    if (this.request === undefined || this.machine.work !== "receive") return;
    try {
      const { missing } = local;
      if (missing !== undefined) return this.interrupt(fileGone(missing));
      if (this.applying.stopping !== undefined) return;
      const place = await local.tend();
      if (place !== "here") this.interrupt(place === "gone" ? databaseGone(file) : walGone(file));
    } catch (thrown) {
      this.interrupt({ error: asTailraceError(thrown) });
    }
  }

  private async pause(): Promise<void> {
    const ms = pauseMs(this.machine.failures, this.options.random(), this.troubles.retryAfterMs);
    this.nextTryMs = this.options.wallMs() + ms;
    this.retries += 1;
    await this.options.sleep(ms, this.closing.signal);
    this.nextTryMs = null;
  }

  private async failure(thrown: unknown): Promise<FollowEvent> {
    this.freshness.failed();
    if (this.closing.signal.aborted) return { type: "close" };
    const { interruption } = this;
    this.interruption = undefined;
    const error = interruption?.error ?? asTailraceError(thrown);
    const { onForeignWrite, events, local } = this.options;
    const remedy = interruption?.remedy ?? remedyFor(error.code, { onForeignWrite, hasMet: this.hasMet });
    this.troubles.failed(error, remedy, local.position?.applied.txid ?? -1);
    if (interruption?.givenUp !== undefined) await this.giveUp(interruption.givenUp);
    // What cannot be applied as it is here is asked for again.
    const isUseless = error instanceof NoRoomError || error.code === "unknown_version";
    if (isUseless && this.applying.stopping === undefined) await local.dropUnapplied();
    if (remedy === "stop") {
      this.waiting.end(stopped(error));
      events.failed(error);
    }
    return { type: "failed", remedy };
  }

  private async giveUp(what: "standing" | "database"): Promise<void> {
    const { local } = this.options;
    await this.applying.rest();
    if (what === "standing") return await local.fall();
    this.isAnew = true;
    await local.letGo();
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

  private get appliedTxid(): Txid | undefined {
    return this.isReady ? this.options.local.position?.applied.txid : undefined;
  }
}

function stopped({ code, message, hint, retryable }: TailraceError): TailraceError {
  return fromErrorData({ code, message: `the replica has stopped: ${message}`, hint, retryable });
}
