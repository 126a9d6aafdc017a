import { performance } from "node:perf_hooks";
import { setImmediate, setTimeout } from "node:timers/promises";
import { TailraceError, asTailraceError, toErrorData } from "../shared/errors.ts";
import type { ErrorData } from "../shared/errors.ts";
import type { PrimaryEngineMetrics } from "../shared/metrics/primary-engine.ts";
import type { NodeHead } from "../shared/serve/engine.ts";
import { hex64 } from "../shared/units.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import type { UpkeepTroubles } from "../shared/upkeep-troubles.ts";
import { fileReplaced, isReplaced } from "./attached-database.ts";
import { SLICE_BYTES } from "./capture.ts";
import type { Capture } from "./capture.ts";
import type { CheckpointCycle } from "./checkpoint-cycle.ts";
import { CommitWatch } from "./commit-watch.ts";
import type { Retention } from "./retention.ts";
import type { Snapshots } from "./snapshots.ts";

/** How often checkpoint, retention and the file's identity are looked at. */
const UPKEEP_MS = 250;
const IDLE_WAIT_MS = 500;
/** In mode `group`, the least time from one fsync to the next. */
const GROUP_MS = 5;
/** After an error; doubled each time, for going back to the last whole record is work too. */
const ERROR_PAUSE_MS = 500;
const MAX_ERROR_PAUSE_MS = 8000;
/** While there is always more to capture, it is behind when all was captured last so long ago. */
const BEHIND_MS = 1000;

export interface CaptureLoopOptions {
  readonly capture: Capture;
  readonly cycle: CheckpointCycle;
  readonly snapshots: Snapshots;
  readonly retention: Retention;
  readonly upkeep: UpkeepTroubles;
  readonly metrics: PrimaryEngineMetrics;
  readonly isGrouping: boolean;
  /** Unix ms. */
  readonly clock: () => number;
  /** Something new is durable. */
  readonly onHead: (head: NodeHead) => void;
  /** Why capture fails and is being retried; null when that has passed. */
  readonly onTrouble: (error: ErrorData | null) => void;
}

/** How the loop ended. */
export type LoopEnd = "closed" | "replaced";

/**
 * Captures for as long as it runs: waits for commits, records them, makes them durable, tells of them, and sees to
 * checkpoints, snapshots and retention in between.
 */
export class CaptureLoop {
  private readonly options: CaptureLoopOptions;
  private readonly watch: CommitWatch;
  private readonly durableWaiters: ((error?: TailraceError) => void)[] = [];
  private isClosing = false;
  private nextUpkeepMs = 0;
  private lastSyncMs = 0;
  private shownTxid: Txid = -1;
  /** What the metrics have of the log. */
  private counted: { readonly txid: Txid; readonly bytes: number };
  /** When the first of the commits that are not shown was noticed. */
  private noticedMs: number | undefined;
  /** The newest transaction at the last wait. */
  private waitedTxid: Txid;
  /** What those are told who still wait when the loop ends. */
  private endedBy = new TailraceError("closed", "the primary was closed");
  private errorPauseMs = ERROR_PAUSE_MS;
  private lastError: ErrorData | null = null;
  private sinceMs: number | null = null;
  /** As of when the head was all there was, Unix ms; null while it is, as far as is known. */
  private headFreshAsOfMs: number | null = null;

  constructor(options: CaptureLoopOptions) {
    this.options = options;
    this.watch = new CommitWatch(options.capture.database.walFile);
    const { headTxid, recordedBytes } = options.capture.log;
    this.waitedTxid = headTxid;
    this.counted = { txid: headTxid, bytes: recordedBytes };
    // Log and database have just been brought to one state.
    options.metrics.caughtUpMs = options.clock();
  }

  /** The error for which capture is being retried. */
  get trouble(): ErrorData | null {
    return this.lastError;
  }

  /** Since when, Unix ms. */
  get troubleSinceMs(): number | null {
    return this.sinceMs;
  }

  /** As of when the head is known to be all there is, Unix ms. */
  get freshAsOfMs(): number {
    return this.headFreshAsOfMs ?? this.options.clock();
  }

  get head(): NodeHead {
    const { log, meta } = this.options.capture;
    return {
      logId: meta.logId,
      epoch: meta.epoch,
      pageSizeBytes: meta.pageSizeBytes,
      txid: log.headTxid,
      commitTimeMs: log.headCommitTimeMs,
      databaseChecksum: hex64(log.headChecksum),
      start: log.start,
      end: log.durableEnd,
      freshAsOfMs: this.headFreshAsOfMs,
    };
  }

  /** Runs until {@link stop}, or until the database file is replaced by another. @throws what cannot be retried */
  async run(): Promise<LoopEnd> {
    try {
      for (;;) {
        try {
          const end = await this.turn();
          if (end !== undefined) return end;
        } catch (error) {
          await this.endure(error);
        }
      }
    } finally {
      this.isClosing = true;
      this.watch.close();
      this.answerDurable(0, this.endedBy);
    }
  }

  /** All that is committed when this is called, once it is durable in the log. */
  async durable(): Promise<{ readonly txid: Txid; readonly cursor: Cursor }> {
    if (this.isClosing) throw this.endedBy;
    await new Promise<void>((resolve, reject) => {
      this.durableWaiters.push((error) => (error === undefined ? resolve() : reject(error)));
      this.watch.notify();
    });
    const { log } = this.options.capture;
    return { txid: log.headTxid, cursor: log.durableEnd };
  }

  /** Ends {@link run} after what is committed has been captured. */
  stop(): void {
    this.isClosing = true;
    this.watch.notify();
  }

  private async turn(): Promise<LoopEnd | undefined> {
    const { capture, cycle, metrics, clock } = this.options;
    const isLast = this.isClosing;
    const waiters = this.durableWaiters.length;
    const before = capture.log.headTxid;
    const startMs = performance.now();
    const progress = capture.capture(SLICE_BYTES);
    if (progress !== "end" || capture.log.headTxid !== before) this.noticedMs ??= startMs;
    if (progress !== "end" && clock() - (metrics.caughtUpMs ?? 0) >= BEHIND_MS) this.fallBehind();
    if (progress === "missed") {
      this.fallBehind();
      await capture.captureDifference();
    }
    if (capture.log.headTxid !== before) cycle.noteCommit();
    this.show(progress !== "end" || waiters > 0 || isLast);
    const isDue = performance.now() >= this.nextUpkeepMs && !isLast;
    // What was committed to another file at the path is not to be called durable for what was captured of this one.
    if ((isDue || waiters > 0) && isReplaced(capture.database)) {
      this.endedBy = fileReplaced(capture.database.file);
      return isLast ? "closed" : "replaced";
    }
    // Also while commits come faster than they are captured: that is when the SQLite WAL grows.
    if (isDue) {
      this.upkeep();
    } else if (cycle.isPressing && !isLast) {
      cycle.startIfDue(this.checkpointed);
    }
    if (progress !== "end") {
      await setImmediate();
      return undefined;
    }
    this.answerDurable(waiters);
    metrics.caughtUpMs = clock();
    this.recovered();
    if (capture.log.headTxid === this.shownTxid) this.noticedMs = undefined;
    if (isLast) return "closed";
    cycle.giveWay();
    const isPending = capture.log.headTxid !== this.shownTxid;
    const newCommits = capture.log.headTxid - this.waitedTxid;
    this.waitedTxid = capture.log.headTxid;
    const maxMs = isPending ? GROUP_MS : Math.min(IDLE_WAIT_MS, cycle.giveWayInMs);
    await this.watch.wait(
      () => capture.hasNews(),
      () => capture.isNewsComing(),
      maxMs,
      newCommits,
    );
    return undefined;
  }

  /** Makes what is captured durable and tells of it; in mode `group`, only so often unless somebody waits. */
  private show(isUrgent: boolean): void {
    const { capture, retention, isGrouping, onHead } = this.options;
    if (capture.log.headTxid === this.shownTxid) return;
    const now = performance.now();
    if (isGrouping && !isUrgent && now - this.lastSyncMs < GROUP_MS) return;
    capture.sync();
    this.lastSyncMs = now;
    this.shownTxid = capture.log.headTxid;
    // First of all: replicas wait for it.
    onHead(this.head);
    this.count();
    retention.headChanged();
  }

  /** Once for all that became durable at once. */
  private count(): void {
    const { capture, metrics } = this.options;
    const { headTxid: txid, recordedBytes: bytes } = capture.log;
    metrics.commits.inc(txid - this.counted.txid);
    metrics.commitBytes.inc(bytes - this.counted.bytes);
    this.counted = { txid, bytes };
    if (this.noticedMs === undefined) return;
    metrics.captureDelaySeconds.observe((performance.now() - this.noticedMs) / 1000);
    this.noticedMs = undefined;
  }

  private answerDurable(count: number, error?: TailraceError): void {
    const answered = error === undefined ? count : this.durableWaiters.length;
    for (const answer of this.durableWaiters.splice(0, answered)) answer(error);
  }

  private upkeep(): void {
    const { cycle, snapshots, retention, upkeep } = this.options;
    this.nextUpkeepMs = performance.now() + UPKEEP_MS;
    cycle.startIfDue(this.checkpointed);
    this.keep();
    if (retention.needsCheckpoint) cycle.markSoon(this.checkpointed);
    const pressure = {
      logBytes: retention.sizeBytes,
      keepLogBytes: retention.limits.keepBytes,
      isHoldingLog: retention.needsSnapshot,
    };
    if (!snapshots.isDue(pressure)) return;
    snapshots.take().then(
      () => upkeep.passed("snapshot"),
      (error: unknown) => upkeep.failed("snapshot", error),
    );
  }

  private readonly checkpointed = (error?: unknown): void => {
    const { upkeep } = this.options;
    if (error === undefined) upkeep.passed("checkpoint");
    else upkeep.failed("checkpoint", error);
  };

  /** Lets go of what nobody needs. What goes wrong there stops no capture: it is tried again. */
  private keep(): void {
    const { snapshots, retention, upkeep } = this.options;
    upkeep.try("pruning", () => snapshots.prune());
    upkeep.try("retention", () => retention.upkeepIfDue());
  }

  /** Waits, where that can help; capture then goes on at the last whole record. @throws the error where it cannot */
  private async endure(error: unknown): Promise<void> {
    const failure = asTailraceError(error);
    if (!failure.retryable || this.isClosing) throw failure;
    this.troubled(failure);
    // Commits wait for it to pass.
    this.noticedMs ??= performance.now();
    // On a full disk this is what makes room.
    this.keep();
    // The pin stays: what is not captured stays in the WAL.
    await setTimeout(this.errorPauseMs);
    this.errorPauseMs = Math.min(2 * this.errorPauseMs, MAX_ERROR_PAUSE_MS);
  }

  private troubled(error: TailraceError): void {
    this.lastError = toErrorData(error);
    this.sinceMs ??= this.options.clock();
    this.options.onTrouble(this.lastError);
    this.fallBehind();
  }

  /** Those who wait at the head are told that it may no longer be all there is: their lag grows from now on. */
  private fallBehind(): void {
    const { metrics, onHead } = this.options;
    if (this.headFreshAsOfMs !== null) return;
    this.headFreshAsOfMs = metrics.caughtUpMs;
    onHead(this.head);
  }

  private recovered(): void {
    this.errorPauseMs = ERROR_PAUSE_MS;
    if (this.headFreshAsOfMs !== null) {
      this.headFreshAsOfMs = null;
      this.options.onHead(this.head);
    }
    if (this.lastError === null) return;
    this.lastError = null;
    this.sinceMs = null;
    this.options.onTrouble(null);
  }
}
