import { setTimeout } from "node:timers/promises";
import { performance } from "node:perf_hooks";
import { failpoint } from "../shared/failpoint.ts";
import { FRAME_HEADER_BYTES } from "../shared/format/wal.ts";
import { decidePrimaryCheckpoint } from "../shared/plan/primary-checkpoint-policy.ts";
import { BackgroundCheckpointer } from "../shared/sqlite/checkpointer.ts";
import { isBusy } from "../shared/sqlite/driver.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import type { Capture } from "./capture.ts";

/** How often the last frames are chased before it is left for later. */
const PASSES = 3;
/** If more than this has come during a copy, more will come during the next one: chasing it is in vain. */
const CHASE_BYTES: number = 2 << 20;
/** How often it is written down that a checkpoint is on disk: it costs three fsyncs, and spares a restart some replay. */
const MARK_INTERVAL_MS = 30_000;
/** For how long the write lock is sought. */
const LOCK_WAIT_MS = 500;
const LOCK_RETRY_MS = 2;

/**
 * Checkpoints the SQLite WAL without losing a frame to its restart.
 *
 *   capture to the end → pin there → copy (in the background) → has nobody written? → pin, now on READ_LOCK(0)
 *
 * From then on the next writer may restart the WAL, once (pin.ts). Writers and readers are not held up, but for the few
 * milliseconds of `hold`, when the WAL has outgrown its limit because writers leave no gap.
 */
export class CheckpointCycle {
  private readonly capture: Capture;
  private readonly softLimitBytes: number;
  private readonly checkpointer: BackgroundCheckpointer;
  private running: Promise<boolean> | undefined;
  private lastTryMs = Number.NEGATIVE_INFINITY;
  private lastHoldMs = Number.NEGATIVE_INFINITY;
  private lastMarkMs: number = performance.now();
  private lastCommitMs: number = performance.now();
  private completed = 0;
  /** Somebody's reader kept the last copy from going as far as our pin allows. */
  private isHeldBack = false;

  constructor(capture: Capture, softLimitBytes: number) {
    const { driver, file } = capture.database;
    this.capture = capture;
    this.softLimitBytes = softLimitBytes;
    this.checkpointer = BackgroundCheckpointer.start({ driverName: driver.name, file });
  }

  /** Cycles since the start that copied all there was. */
  get completedCount(): number {
    return this.completed;
  }

  noteCommit(): void {
    this.lastCommitMs = performance.now();
  }

  /** Starts a cycle if one is due; does not wait for it. Its failure is passed on. */
  startIfDue(onFailure: (error: unknown) => void): void {
    const now = performance.now();
    const { capturedFrames } = this.capture.wal();
    const action = decidePrimaryCheckpoint({
      frames: capturedFrames,
      isHeldBack: this.isHeldBack,
      frameBytes: this.capture.database.pageSizeBytes + FRAME_HEADER_BYTES,
      softLimitBytes: this.softLimitBytes,
      mayRestart: this.capture.pin.mayRestart,
      isRunning: this.running !== undefined,
      sinceLastTryMs: now - this.lastTryMs,
      sinceLastHoldMs: now - this.lastHoldMs,
      idleMs: now - this.lastCommitMs,
    });
    if (action === "none") return;
    if (action === "hold") this.lastHoldMs = now;
    this.run(action === "hold").catch(onFailure);
  }

  /**
   * One cycle; during another one, that one.
   *
   * @returns whether all that was committed is in the database file, on disk
   */
  run(isHolding = false): Promise<boolean> {
    this.running ??= (isHolding ? this.holdWriters() : this.copy()).finally(() => {
      this.running = undefined;
      this.lastTryMs = performance.now();
    });
    return this.running;
  }

  /** A last cycle, and the end. Makes the next start a quick one. */
  async finish(): Promise<void> {
    await this.running?.catch(() => {});
    this.lastMarkMs = Number.NEGATIVE_INFINITY;
    await this.run().catch(() => {});
    await this.close();
  }

  async close(): Promise<void> {
    await this.running?.catch(() => {});
    await this.checkpointer.close();
  }

  private async copy(): Promise<boolean> {
    for (let pass = 0; pass < PASSES; pass++) {
      const { capture } = this;
      if (capture.captureAll() === "missed" || !capture.movePin()) return false;
      const mark = { txid: capture.log.headTxid, cursor: capture.log.end };
      const { capturedFrames } = capture.wal();
      await this.checkpointer.passive();
      failpoint("capture.checkpointed");
      // Such a reader may stand in the way for hours.
      this.isHeldBack = capture.wal().backfilledFrames < capturedFrames;
      if (this.isHeldBack) return false;
      this.markDurable(mark);
      if (!capture.isCheckpointed()) {
        capture.captureAll();
        const news = (capture.wal().capturedFrames - capturedFrames) * capture.database.pageSizeBytes;
        if (news > CHASE_BYTES) return false;
        continue;
      }
      if (!capture.movePin()) return false;
      failpoint("capture.restart-allowed");
      this.completed += 1;
      return true;
    }
    return false;
  }

  private markDurable(mark: { readonly txid: Txid; readonly cursor: Cursor }): void {
    if (performance.now() - this.lastMarkMs < MARK_INTERVAL_MS) return;
    this.capture.markDurable(mark);
    this.lastMarkMs = performance.now();
  }

  private async holdWriters(): Promise<boolean> {
    const { connection } = this.capture.database;
    // What can be copied beforehand, nobody has to wait for.
    if (await this.copy()) return true;
    if (this.isHeldBack || !(await this.lockWriters())) return false;
    try {
      return await this.copy();
    } finally {
      connection.exec("COMMIT");
    }
  }

  private async lockWriters(): Promise<boolean> {
    const { connection, driver } = this.capture.database;
    for (const end = performance.now() + LOCK_WAIT_MS; performance.now() < end;) {
      try {
        connection.exec("BEGIN IMMEDIATE");
        return true;
      } catch (error) {
        if (!isBusy(driver, error)) throw error;
      }
      await setTimeout(LOCK_RETRY_MS);
    }
    return false;
  }
}
