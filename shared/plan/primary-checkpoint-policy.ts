/**
 * When Tailrace checkpoints the primary's SQLite WAL. Its pin holds back the application's own checkpoints, so this
 * alone bounds the WAL; and the application must not feel it.
 */
export interface PrimaryWalState {
  /** Frames in the WAL, captured or not. */
  readonly frames: number;
  readonly frameBytes: number;
  /** From this size on, a moment is sought at which the WAL may restart. */
  readonly softLimitBytes: number;
  /** Whether the next writer may restart the WAL already. */
  readonly mayRestart: boolean;
  /** Somebody reads an old state, and has kept the last tries from copying anything. Holding up writers would gain nothing. */
  readonly isHeldBack: boolean;
  readonly isCopying: boolean;
  readonly isHolding: boolean;
  /** Frames in the WAL when the last copy of it began; 0 before the first. */
  readonly lastCopyFrames: number;
  /** Since the last try of any kind; Infinity before the first. */
  readonly sinceLastTryMs: number;
  /** Since writers were last held up in vain; Infinity before the first time. */
  readonly sinceVainHoldMs: number;
  /** Since the last commit. */
  readonly idleMs: number;
}

/**
 * - `copy`: a PASSIVE checkpoint in the background, and then, if no writer has come in between, leave to restart.
 * - `hold`: the same under the write lock, because writers leave no gap: they wait while the rest is captured and copied.
 */
export type PrimaryCheckpointAction = "none" | "copy" | "hold";

const USUAL_HARD_LIMIT_BYTES: number = 64 << 20;
const MOST_OVER_SOFT = 64;
const LEAST_OVER_SOFT = 4;

/**
 * The size of the WAL from which on writers are held up for what a copy of it has left over. Far above a small soft limit: who
 * writes without a pause loses more by being held up than by a long WAL.
 */
export function hardLimitBytes(softLimitBytes: number): number {
  return Math.max(
    LEAST_OVER_SOFT * softLimitBytes,
    Math.min(MOST_OVER_SOFT * softLimitBytes, USUAL_HARD_LIMIT_BYTES),
  );
}

/** And from which on at once, even during a copy: they write faster than is copied, or captured. */
export function atOnceBytes(softLimitBytes: number): number {
  return 2 * hardLimitBytes(softLimitBytes);
}

/** A reader of an old state is told of when the WAL that it holds up is so many times the soft limit. */
export const HELD_UP_FACTOR = 16;
/** After a try that a reader or a writer spoilt. */
export const RETRY_MS = 200;
/** After writers were held up in vain. */
export const HOLD_RETRY_MS = 1000;
/** After this long without a commit even a small WAL is copied, so that a loss of power has little to take. */
export const IDLE_MS = 2000;

export function decidePrimaryCheckpoint(wal: PrimaryWalState): PrimaryCheckpointAction {
  if (wal.isHolding || wal.mayRestart || wal.frames === 0) return "none";
  const walBytes = wal.frames * wal.frameBytes;
  const { softLimitBytes } = wal;
  const mayHold = !wal.isHeldBack && wal.sinceVainHoldMs >= HOLD_RETRY_MS;
  if (mayHold && walBytes >= atOnceBytes(softLimitBytes)) return "hold";
  if (wal.isCopying) return "none";
  if (mayHold && isOverfull(walBytes, softLimitBytes)) {
    return isOverfull(wal.lastCopyFrames * wal.frameBytes, softLimitBytes) ? "hold" : "copy";
  }
  if (wal.sinceLastTryMs < RETRY_MS) return "none";
  // While readers of an old state hold a checkpoint back, an idle primary tries again at this pace, not at the other.
  const isIdle = wal.idleMs >= IDLE_MS && wal.sinceLastTryMs >= IDLE_MS;
  return walBytes >= softLimitBytes || isIdle ? "copy" : "none";
}

/** Whether the WAL has reached the size from which on it is bounded at the cost of the writers. */
export function isOverfull(walBytes: number, softLimitBytes: number): boolean {
  return walBytes >= hardLimitBytes(softLimitBytes);
}
