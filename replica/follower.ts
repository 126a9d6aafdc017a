import { TailraceError, asTailraceError, fromErrorData } from "../shared/errors.ts";
import type { ErrorData } from "../shared/errors.ts";
import { compareCursors } from "../shared/format/cursor.ts";
import type { Position } from "../shared/format/position.ts";
import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Notice } from "../shared/notice.ts";
import { pauseMs } from "../shared/plan/backoff.ts";
import { START, remedyFor, step } from "../shared/plan/follow-state.ts";
import type { FollowEffect, FollowEvent, FollowMachine, Remedy, Work } from "../shared/plan/follow-state.ts";
import { Freshness } from "../shared/plan/freshness.ts";
import { recentError } from "../shared/recent-errors.ts";
import type { NodeHead } from "../shared/serve/engine.ts";
import { NoRoomError } from "../shared/storage/disk-room.ts";
import type { Txid } from "../shared/units.ts";
import { ApplyLoop } from "./apply-loop.ts";
import { followerStatus } from "./follower-status.ts";
import type { FollowerStatus } from "./follower-status.ts";
import { Landing } from "./landing.ts";
import type { LocalReplica } from "./local-replica.ts";
import { CHUNK_BYTES, LONG_POLL_MS } from "./receiver.ts";
import type { Chunk, PeerHead, Receiver } from "./receiver.ts";
import type { SnapshotClient } from "./snapshot-client.ts";
import { Troubles } from "./troubles.ts";
import { Waiting } from "./waiting.ts";

/** Received and not applied: beyond it the primary is not asked for more. */
export const MAX_BACKLOG_BYTES: number = 256 << 20;
/** An answer with nothing that comes at once, though it was to wait for something: no more than five of them a second. */
const EMPTY_ANSWER_MS = 200;
/** Between two looks at the file's place and at the WAL while nothing comes. */
const TEND_EVERY_MS = 1000;
/** How long the primary may hold a request while something waits to be applied: with the next one it hears how far that is. */
const APPLYING_POLL_MS = 250;
/** And while the node that is asked has itself lost touch with the primary: soon after it is back, it is known here. */
const STALE_POLL_MS = 2000;

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

interface Interruption {
  readonly error: TailraceError;
  readonly remedy?: Remedy;
  /** Whether the database has to be opened anew, by its readers too. */
  readonly isAnew?: boolean;
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
  private machine: FollowMachine = START;
  private finished: Promise<void> | undefined;
  private interruption: Interruption | undefined;
  private request: AbortController | undefined;
  private tending: NodeJS.Timeout | undefined;
  private isReady = false;
  private isSyncing = false;
  private hasMet = false;
  /** The database that readers have opened is not the one that is there next. */
  private isAnew = false;
  private head: PeerHead | undefined;
  private lastContactMs: number | null = null;
  private nextTryMs: number | null = null;
  private retries = 0;
  /** Log bytes received since the start. */
  receivedBytes = 0;

  constructor(options: FollowerOptions) {
    this.options = options;
    const tell = (notice: Notice): void => options.events.notice(notice);
    this.waiting = new Waiting({ ...options, appliedTxid: () => this.appliedTxid });
    this.troubles = new Troubles(tell, options, options.metrics);
    this.landing = new Landing({ ...options, tell });
    this.applying = new ApplyLoop({
      ...options,
      signal: this.closing.signal,
      onDrained: () => this.settle(),
      onFailed: (error) => this.interrupt({ error }),
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
  get age(): Pick<NodeHead, "clockOffsetMs" | "freshAsOfMs"> {
    const { wallMs, monotonicMs } = this.options;
    const nowMs = monotonicMs();
    const { primaryNowMs } = this;
    const isFresh = this.freshness.isFresh(nowMs);
    const { freshAsOfMs } = this.freshness.lag(nowMs);
    // Who does not know how old his own state is has no word on the time for others.
    if (primaryNowMs === null || freshAsOfMs === null) return { clockOffsetMs: null, freshAsOfMs: null };
    const clockOffsetMs = Math.round(primaryNowMs - wallMs());
    return { clockOffsetMs, freshAsOfMs: isFresh ? null : freshAsOfMs };
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
      head: this.head,
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
    const { local, receiver, events, monotonicMs } = this.options;
    await this.stand();
    this.throwInterruption();
    // What was received before a failure may still wait to be applied.
    this.applying.wake();
    while (local.backlogBytes > MAX_BACKLOG_BYTES && this.applying.stopping !== undefined)
      await this.applying.stopping;
    // An applier that fails gives up the standing at once, and says why a moment later.
    if (local.received === undefined) await this.applying.stopping;
    this.throwInterruption();
    // To ask for more is to vouch for what is here: a sync that has failed comes first.
    if (local.unsyncedBytes > 0) await this.syncReceived();
    const position = local.position!;
    const waitMs = this.waitMs(position.applied.txid);
    const askedMs = monotonicMs();
    this.freshness.asked(askedMs, waitMs);
    const chunk = await receiver.fetch({
      cursor: local.received!,
      logId: position.logId,
      epoch: position.epoch,
      appliedTxid: position.applied.txid,
      appliedChecksum: position.applied.checksum,
      maxBytes: CHUNK_BYTES,
      waitMs,
      signal,
    });
    this.met();
    this.head = chunk.head;
    const { txid: headTxid, primaryTimeMs, ageMs } = chunk.head;
    this.freshness.heard({ atMs: monotonicMs(), headTxid, primaryTimeMs, ageMs });
    this.receivedBytes += chunk.bytes.length;
    this.throwInterruption();
    await this.store(chunk);
    this.applying.wake();
    await this.syncReceived();
    this.throwInterruption();
    const { applied } = local.position!;
    events.settled(local.position!);
    const isCaughtUp = chunk.isEof && applied.txid >= chunk.head.txid;
    if (isCaughtUp) this.troubles.overcome(applied.txid);
    const leadsOn = compareCursors(chunk.next, chunk.from) !== 0;
    if (waitMs > 0 && !leadsOn) await this.rest(EMPTY_ANSWER_MS - (monotonicMs() - askedMs), signal);
    return {
      type: "received",
      isEof: chunk.isEof,
      isProgress: isCaughtUp || applied.txid > this.troubles.txid,
    };
  }

  private async store(chunk: Chunk): Promise<void> {
    const { local } = this.options;
    try {
      local.receive(chunk);
    } catch (error) {
      if (!(error instanceof NoRoomError)) throw error;
      await this.applying.rest();
      this.throwInterruption();
      if (!(await local.giveRoom())) throw error;
      local.receive(chunk);
    }
  }

  private async rest(ms: number, signal: AbortSignal): Promise<void> {
    if (ms > 0) await this.options.sleep(ms, signal);
    this.throwInterruption();
  }

  /** How long the primary may wait for news: not at all where even its present end is news, or that it answers. */
  private waitMs(appliedTxid: Txid): number {
    if (this.head === undefined || !this.freshness.isInTouch(this.options.monotonicMs())) return 0;
    if (!this.freshness.isSourceFresh) return STALE_POLL_MS;
    return appliedTxid >= this.head.txid ? LONG_POLL_MS : APPLYING_POLL_MS;
  }

  private async stand(): Promise<void> {
    const { local, events } = this.options;
    this.throwIfGone();
    await local.stand();
    if (this.isReady) return;
    this.isReady = true;
    this.applied(local.position!);
    // What is here can be served on, whether or not the primary can be reached.
    await this.syncReceived();
    events.settled(local.position!);
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
    this.head = undefined;
    await this.stand();
    // Before those who wait for a transaction: they are to look for it in the new file.
    if (isRebuilt) events.rebuilt();
    this.applied(local.position!);
    events.settled(local.position!);
  }

  private async syncReceived(): Promise<void> {
    this.isSyncing = true;
    try {
      await this.options.local.syncReceived();
    } finally {
      this.isSyncing = false;
    }
  }

  /** What is fed to others goes no further than this: they need not wait for the next answer of the primary. */
  private settle(): void {
    // Applied before it is on the disk: it is told of when it is.
    if (!this.isSyncing) this.options.events.settled(this.options.local.position!);
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
    return { error, remedy: "bootstrap", isAnew: true };
  }

  /** Nobody who comes now finds what is committed here: what he finds instead is compared, once all that is open here is closed. */
  private bare(): Interruption {
    const text = `the SQLite WAL of ${this.options.file} is gone`;
    return {
      error: new TailraceError("storage_failed", text, { retryable: true }),
      remedy: "resync",
      isAnew: true,
    };
  }

  private async tend(): Promise<void> {
    const { local, events } = this.options;
    events.tended();
    if (this.request === undefined || this.machine.work !== "receive") return;
    try {
      const { missing } = local;
      if (missing !== undefined) throw new FileMissingError(missing);
      if (this.applying.stopping !== undefined) return;
      const place = await local.tend();
      if (place !== "here") this.interrupt(place === "gone" ? this.gone() : this.bare());
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
    if (interruption?.isAnew === true) {
      this.isAnew = true;
      await this.applying.rest().then(() => local.letGo());
    }
    // What is to be put back is put back before the standing is proven anew.
    if (error instanceof FileMissingError) await this.applying.rest().then(() => local.fall());
    // What cannot be applied as it is here is asked for again.
    const isUseless = error instanceof NoRoomError || error.code === "unknown_version";
    if (isUseless && this.applying.stopping === undefined) await local.dropUnapplied();
    if (remedy === "stop") {
      this.waiting.end(stopped(error));
      events.failed(error);
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

  private get appliedTxid(): Txid | undefined {
    return this.isReady ? this.options.local.position?.applied.txid : undefined;
  }
}

/** Somebody has deleted one of the replica's own files while it runs. */
class FileMissingError extends TailraceError {
  constructor(path: string) {
    super("storage_failed", `${path} is gone`, { retryable: true });
  }
}

function stopped({ code, message, hint, retryable }: TailraceError): TailraceError {
  return fromErrorData({ code, message: `the replica has stopped: ${message}`, hint, retryable });
}
