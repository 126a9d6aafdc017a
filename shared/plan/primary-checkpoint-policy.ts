/**
 * When Tailrace checkpoints the primary's SQLite WAL. Its pin holds back the application's own checkpoints, so this
 * alone bounds the WAL; and the application must not feel it.
 */
export interface PrimaryWalState {
  /** Frames captured, which is all that a checkpoint may copy. */
  readonly frames: number;
  readonly frameBytes: number;
  /** From this size on, a moment is sought at which the WAL may restart. */
  readonly softLimitBytes: number;
  /** Whether the next writer may restart the WAL already. */
  readonly mayRestart: boolean;
  /** The last try copied less than it might have: somebody reads an old state. Holding up writers would gain nothing. */
  readonly isHeldBack: boolean;
  readonly isRunning: boolean;
  /** Since the last try of any kind; Infinity before the first. */
  readonly sinceLastTryMs: number;
  /** Since writers were last held up; Infinity before the first. */
  readonly sinceLastHoldMs: number;
  /** Since the last commit. */
  readonly idleMs: number;
}

/**
 * - `copy`: a PASSIVE checkpoint in the background, and then, if no writer has come in between, leave to restart.
 * - `hold`: the same, and then once more under the write lock, because writers leave no gap. They wait while what came
 *   during the first copy is copied too: a fraction of a second where they write as fast as the disk, else milliseconds.
 */
export type PrimaryCheckpointAction = "none" | "copy" | "hold";

/** Writers are held up from this multiple of the soft limit on. */
export const HARD_LIMIT_FACTOR = 4;
/** After a try that a reader or a writer spoilt. */
export const RETRY_MS = 200;
export const HOLD_RETRY_MS = 1000;
/** After this long without a commit even a small WAL is copied, so that a loss of power has little to take. */
export const IDLE_MS = 2000;

export function decidePrimaryCheckpoint(wal: PrimaryWalState): PrimaryCheckpointAction {
  if (wal.isRunning || wal.mayRestart || wal.frames === 0 || wal.sinceLastTryMs < RETRY_MS) return "none";
  const walBytes = wal.frames * wal.frameBytes;
  if (
    walBytes >= HARD_LIMIT_FACTOR * wal.softLimitBytes &&
    !wal.isHeldBack &&
    wal.sinceLastHoldMs >= HOLD_RETRY_MS
  ) {
    return "hold";
  }
  // While readers of an old state hold a checkpoint back, an idle primary tries again at this pace, not at the other.
  const isIdle = wal.idleMs >= IDLE_MS && wal.sinceLastTryMs >= IDLE_MS;
  return walBytes >= wal.softLimitBytes || isIdle ? "copy" : "none";
}
