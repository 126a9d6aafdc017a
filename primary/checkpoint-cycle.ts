import { setImmediate, setTimeout } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import { failpoint } from "../shared/failpoint.ts";
import type { WalMark } from "../shared/format/record.ts";
import { FRAME_HEADER_BYTES } from "../shared/format/wal.ts";
import type { PrimaryEngineMetrics } from "../shared/metrics/primary-engine.ts";
import type { Notice } from "../shared/notice.ts";
import {
  HELD_UP_FACTOR,
  decidePrimaryCheckpoint,
  isOverfull,
} from "../shared/plan/primary-checkpoint-policy.ts";
import { BackgroundCheckpointer } from "../shared/sqlite/checkpointer.ts";
import { isBusy } from "../shared/sqlite/driver.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import { SLICE_BYTES } from "./capture.ts";
import type { Capture, CaptureProgress } from "./capture.ts";
import { HeldUp } from "./held-up.ts";

/** How often the last frames are chased before it is left for later. */
const PASSES = 3;
/** If more than this has come during a copy, more will come during the next one: chasing it is in vain. */
const CHASE_BYTES: number = 2 << 20;
/** How often a checkpoint is tried because the log is held for want of one. */
const MARK_RETRY_MS = 1_000;
/** How often it is written down that a checkpoint is on disk: it costs three fsyncs, and spares a restart some replay. */
const MARK_INTERVAL_MS = 30_000;
/** For how long the write lock is sought. */
const LOCK_WAIT_MS = 500;
/** At a stretch: writers without pauses leave gaps of microseconds, which only asking all the time will find. */
const LOCK_SPIN_MS = 5;
/** For how long writers are kept waiting for readers of an older state to end. */
const READERS_WAIT_MS = 100;
/** The same for an application's own checkpoint, which does our work. */
const OTHERS_WAIT_MS = 1000;
const HOLD_RETRY_MS = 2;
/** A pause this long may be that of writers held up by somebody's RESTART or TRUNCATE, which waits for our pin. */
const GIVE_WAY_MS = 50;

/** Without an error, however much could be copied. */
export type CycleEnd = (error?: unknown) => void;

export interface CheckpointCycleOptions {
  readonly capture: Capture;
  readonly softLimitBytes: number;
  readonly metrics: PrimaryEngineMetrics;
  /** Unix ms. */
  readonly clock: () => number;
  readonly notify: (notice: Notice) => void;
}

/** What is in the database file, or in its WAL, on disk. */
interface CopiedState {
  readonly txid: Txid;
  readonly cursor: Cursor;
}

/**
 * Checkpoints the SQLite WAL without losing a frame to its restart.
 *
 *   capture to the end → pin there → copy (in the background) → has nobody written? → pin, now on READ_LOCK(0)
 *
 * From then on the next writer may restart the WAL, once (pin.ts). Writers and readers are not held up, unless writers
 * leave no gap and the WAL outgrows its hard limit: then this is done under the write lock. So the WAL is bounded by
 * {@link atOnceBytes}, and what is written until the lock is got; unless a reader stays at an old state.
 */
export class CheckpointCycle {
  private readonly capture: Capture;
  /** May change at any time. */
  softLimitBytes: number;
  private readonly checkpointer: BackgroundCheckpointer;
  private readonly metrics: PrimaryEngineMetrics;
  private copying: Promise<boolean> | undefined;
  private holding: Promise<boolean> | undefined;
  /** Frames in the WAL when the last copy of it began. */
  private lastCopyFrames = 0;
  /** Where {@link giveWay} moved the pin last. */
  private gaveWayAt: WalMark | undefined;
  private lastTryMs = Number.NEGATIVE_INFINITY;
  private lastVainHoldMs = Number.NEGATIVE_INFINITY;
  private lastMarkMs: number = performance.now();
  private lastMarkTryMs = Number.NEGATIVE_INFINITY;
  private lastCommitMs: number = performance.now();
  private completed = 0;
  private readonly heldUp: HeldUp;
  /** Somebody else's checkpoint ran when the last copy was tried. */
  private isOthersTurn = false;
  private holds = 0;

  constructor({ capture, softLimitBytes, metrics, clock, notify }: CheckpointCycleOptions) {
    const { driver, file } = capture.database;
    this.capture = capture;
    this.metrics = metrics;
    this.softLimitBytes = softLimitBytes;
    this.heldUp = new HeldUp({ clock, notify, minBytes: () => HELD_UP_FACTOR * this.softLimitBytes });
    this.checkpointer = BackgroundCheckpointer.start({ driverName: driver.name, file });
  }

  /** Cycles since the start that copied all there was. */
  get completedCount(): number {
    return this.completed;
  }

  /** Since when a reader of an old state has kept the WAL from being copied any further, Unix ms; null while none does. */
  get heldUpSinceMs(): number | null {
    return this.heldUp.sinceMs;
  }

  /** How often writers were held up. */
  get holdCount(): number {
    return this.holds;
  }

  /** Whether the WAL has reached its hard limit: not to be left for the next occasion. Costs nothing. */
  get isPressing(): boolean {
    const { capture } = this;
    return isOverfull(capture.publishedFrames * frameBytesOf(capture), this.softLimitBytes);
  }

  noteCommit(): void {
    this.lastCommitMs = performance.now();
  }

  /** Starts a cycle if one is due; does not wait for it. How it ends is passed on. */
  startIfDue(onEnd: CycleEnd): void {
    const now = performance.now();
    const action = decidePrimaryCheckpoint({
      frames: this.capture.wal().publishedFrames,
      isHeldBack: this.heldUp.sinceMs !== null,
      frameBytes: frameBytesOf(this.capture),
      softLimitBytes: this.softLimitBytes,
      mayRestart: this.capture.pin.mayRestart,
      isCopying: this.copying !== undefined,
      isHolding: this.holding !== undefined,
      lastCopyFrames: this.lastCopyFrames,
      sinceLastTryMs: now - this.lastTryMs,
      sinceVainHoldMs: now - this.lastVainHoldMs,
      idleMs: now - this.lastCommitMs,
    });
    if (action === "copy") this.run().then(() => onEnd(), onEnd);
    if (action === "hold") this.hold().then(() => onEnd(), onEnd);
  }

  /**
   * Lets go of what is captured, for somebody else's checkpoint: FULL, RESTART and TRUNCATE wait for our pin, and the
   * latter two keep writers waiting meanwhile. First the pin moves to the end, so that all can be copied; then, once it is
   * copied, onto READ_LOCK(0), where it is in nobody's way. Copies nothing itself. Everything has just been captured.
   */
  giveWay(): void {
    const { capture } = this;
    if (!this.mayGiveWay || performance.now() - this.lastCommitMs < GIVE_WAY_MS) return;
    if (!capture.isCheckpointed() && capture.mark === this.gaveWayAt) return;
    if (capture.movePin()) this.gaveWayAt = capture.mark;
  }

  /** How long to wait before {@link giveWay} may have something to do. */
  get giveWayInMs(): number {
    return this.mayGiveWay ? GIVE_WAY_MS : Number.POSITIVE_INFINITY;
  }

  private get mayGiveWay(): boolean {
    const { capture } = this;
    const isIdle = this.copying === undefined && this.holding === undefined;
    return isIdle && !capture.pin.mayRestart && capture.capturedFrames > 0;
  }

  /**
   * One cycle; during another one, that one.
   *
   * @returns whether all that was committed is in the database file, on disk
   */
  run(): Promise<boolean> {
    if (this.holding !== undefined) return this.holding;
    this.copying ??= this.copy().finally(() => {
      this.copying = undefined;
      this.lastTryMs = performance.now();
    });
    return this.copying;
  }

  /** The same, and it is written down that it is on disk: what the log is kept for moves up to here. */
  runAndMark(): Promise<boolean> {
    this.lastMarkMs = Number.NEGATIVE_INFINITY;
    return this.run();
  }

  /**
   * The same in the background, where recovery holds more of the log than it should; a cycle that is under way serves for
   * it. How it ends is passed on.
   */
  markSoon(onEnd: CycleEnd): void {
    if (performance.now() - this.lastMarkTryMs < MARK_RETRY_MS) return;
    this.lastMarkTryMs = performance.now();
    this.runAndMark().then(() => onEnd(), onEnd);
  }

  /** A last cycle, and the end. Makes the next start a quick one. */
  async finish(): Promise<void> {
    await this.idle();
    await this.runAndMark().catch(() => {});
    await this.close();
  }

  async close(): Promise<void> {
    await this.idle();
    await this.checkpointer.close();
  }

  private async idle(): Promise<void> {
    await this.copying?.catch(() => {});
    await this.holding?.catch(() => {});
  }

  private hold(): Promise<boolean> {
    this.holding ??= this.holdWriters()
      .finally(() => {
        this.holding = undefined;
        this.lastTryMs = performance.now();
      })
      .then((copied) => {
        if (copied === undefined) this.lastVainHoldMs = performance.now();
        else this.markDurable(copied);
        return copied !== undefined;
      });
    return this.holding;
  }

  /** While writers go on: succeeds in a moment without commits. */
  private async copy(): Promise<boolean> {
    for (let pass = 0; pass < PASSES; pass++) {
      const { capture } = this;
      const copied = await this.copyCaptured();
      if (copied === undefined) {
        if (this.heldUp.sinceMs !== null) await this.syncInPlace();
        return false;
      }
      this.markDurable(copied);
      if (this.allowRestart()) return true;
      const before = capture.capturedFrames;
      await this.captureAll();
      if ((capture.capturedFrames - before) * capture.database.pageSizeBytes > CHASE_BYTES) return false;
    }
    return false;
  }

  /** Nobody commits meanwhile: succeeds unless readers of an older state stay. */
  private async holdWriters(): Promise<CopiedState | undefined> {
    if (!(await this.lockWriters())) return undefined;
    this.holds += 1;
    try {
      // A copy that is under way does part of the work.
      await this.copying?.catch(() => {});
      const start = performance.now();
      for (;;) {
        const copied = await this.copyCaptured();
        if (copied !== undefined && this.allowRestart()) return copied;
        const waitMs = this.isOthersTurn ? OTHERS_WAIT_MS : READERS_WAIT_MS;
        if (performance.now() >= start + waitMs || this.capture.isMissing) return undefined;
        await setTimeout(HOLD_RETRY_MS);
      }
    } finally {
      this.capture.database.connection.exec("COMMIT");
    }
  }

  /** Captures to the end, and copies that. @returns undefined when it could not all be copied */
  private async copyCaptured(): Promise<CopiedState | undefined> {
    const { capture, checkpointer, metrics } = this;
    if ((await this.captureAll()) === "missed" || !capture.movePin()) return undefined;
    const mark = { txid: capture.log.headTxid, cursor: capture.log.end };
    const { capturedFrames } = capture;
    this.lastCopyFrames = capturedFrames;
    const { busy } = await checkpointer.passive().catch((error: unknown) => {
      metrics.checkpoints.inc({ result: "failed" });
      throw error;
    });
    failpoint("capture.checkpointed");
    // Against somebody else's checkpoint it takes another try; against a reader, who may stay for hours, none helps.
    this.isOthersTurn = busy;
    const { backfilledFrames } = capture.wal();
    const isComplete = backfilledFrames >= capturedFrames;
    metrics.checkpoints.inc({ result: busy ? "busy" : isComplete ? "complete" : "partial" });
    if (busy) return undefined;
    this.heldUp.noted({ isComplete, backfilledFrames, walBytes: capturedFrames * frameBytesOf(capture) });
    return isComplete ? mark : undefined;
  }

  /** In slices: while writers outrun it, it has to be seen that they are to be held up. */
  private async captureAll(): Promise<CaptureProgress> {
    for (;;) {
      const progress = this.capture.capture(SLICE_BYTES);
      if (progress !== "more") return progress;
      await setImmediate();
    }
  }

  /** Where all that is committed is copied, lets the next writer restart the WAL. @returns whether that is so */
  private allowRestart(): boolean {
    const { capture } = this;
    if (!capture.isCheckpointed() || !capture.movePin()) return false;
    failpoint("capture.restart-allowed");
    this.completed += 1;
    this.lastCopyFrames = 0;
    return true;
  }

  /**
   * A reader may stay for hours. Frames that cannot be copied outlast a loss of power in the WAL as well, once they are on
   * disk there: so the log need not be kept for them.
   */
  private async syncInPlace(): Promise<void> {
    const { capture } = this;
    if (!this.isMarkDue || capture.isMissing) return;
    const { salts } = capture.mark;
    const mark = { txid: capture.log.headTxid, cursor: capture.log.end };
    await capture.syncWal();
    // Of a WAL that has begun anew meanwhile nothing is known.
    if (capture.mark.salts === salts) this.markDurable(mark);
  }

  private get isMarkDue(): boolean {
    // Not while writers wait.
    return this.holding === undefined && performance.now() - this.lastMarkMs >= MARK_INTERVAL_MS;
  }

  private markDurable(mark: CopiedState): void {
    if (!this.isMarkDue) return;
    this.capture.markDurable(mark);
    this.lastMarkMs = performance.now();
  }

  private async lockWriters(): Promise<boolean> {
    for (const end = performance.now() + LOCK_WAIT_MS; performance.now() < end;) {
      for (const pause = performance.now() + LOCK_SPIN_MS; performance.now() < pause;) {
        if (this.tryLock()) return true;
      }
      await setImmediate();
    }
    return false;
  }

  private tryLock(): boolean {
    const { connection, driver } = this.capture.database;
    try {
      connection.exec("BEGIN IMMEDIATE");
      return true;
    } catch (error) {
      if (isBusy(driver, error)) return false;
      throw error;
    }
  }
}

function frameBytesOf(capture: Capture): number {
  return capture.database.pageSizeBytes + FRAME_HEADER_BYTES;
}
