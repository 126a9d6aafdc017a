/**
 * When a replica copies its SQLite WAL back into the database file. Commits by hand never trigger SQLite's own
 * autocheckpoint, so this is the only thing that bounds the WAL. Readers are never waited for and never disturbed: a
 * reader of an old state holds back the copying past that state, and any reader of the WAL holds back its restart.
 */
export interface WalState {
  /** Frames in the WAL. */
  readonly frames: number;
  /** Of these, copied into the database file. */
  readonly backfilledFrames: number;
  readonly pageSizeBytes: number;
  readonly isCheckpointRunning: boolean;
  /** Since the last try of any kind; Infinity before the first. */
  readonly sinceLastTryMs: number;
  /** Since commits were last held up for a `finish` that readers spoilt; Infinity before the first. */
  readonly sinceVainFinishMs: number;
  /** Since the last commit. */
  readonly idleMs: number;
  /** The primary had more to send than what has come of it. */
  readonly isBehind: boolean;
}

/**
 * - `copy` runs a PASSIVE checkpoint in the background while commits go on.
 * - `finish` does the same while commits wait, and restarts the WAL: without it a steady stream of them leaves no moment at
 *   which all is copied, and the WAL would grow for ever.
 * - `wait` keeps commits waiting for the checkpoint that is running.
 * - `restart` lets the next commit begin at the WAL's first frame again. Everything is copied already, so it takes
 *   microseconds.
 */
export type CheckpointAction = "none" | "copy" | "finish" | "restart" | "wait";

/** The size at which a WAL is copied back. Larger: fewer fsyncs; smaller: less disk, and a warmer cache. */
export const WAL_TARGET_BYTES: number = 8 << 20;
/** The size from which commits are held up for a moment. */
export const WAL_LIMIT_BYTES: number = 4 * WAL_TARGET_BYTES;
/** Commits wait only for this much to be copied: a few milliseconds and one fsync. */
export const FINISH_BYTES: number = 2 << 20;
/** But from this size on for whatever is missing: a backlog is applied faster than it is copied back. Disk for speed. */
export const WAL_HARD_LIMIT_BYTES: number = 64 * WAL_LIMIT_BYTES;
/** So much is copied back at once while a replica is behind: the disk is needed for what makes it up to date. */
export const WAL_BEHIND_BYTES: number = WAL_HARD_LIMIT_BYTES / 2;
/** With nothing to apply for this long, even a small WAL is copied back, so that a power loss costs little. */
export const IDLE_MS = 2000;
/** After a try that readers held back, and after having held up commits in vain. */
export const RETRY_MS = 100;
export const FINISH_RETRY_MS = 1000;

export function decideCheckpoint(wal: WalState): CheckpointAction {
  const bytes = wal.frames * wal.pageSizeBytes;
  if (wal.isCheckpointRunning) return bytes >= WAL_HARD_LIMIT_BYTES ? "wait" : "none";
  if (wal.frames === 0 || wal.sinceLastTryMs < RETRY_MS) return "none";
  const missingBytes = (wal.frames - wal.backfilledFrames) * wal.pageSizeBytes;
  if (missingBytes <= 0) return bytes >= WAL_TARGET_BYTES ? "restart" : "none";
  const isForLater = wal.isBehind && wal.idleMs < IDLE_MS && bytes < WAL_HARD_LIMIT_BYTES;
  if (isForLater && missingBytes > FINISH_BYTES) return missingBytes < WAL_BEHIND_BYTES ? "none" : "copy";
  const isFinishDue =
    bytes >= WAL_HARD_LIMIT_BYTES || (bytes >= WAL_LIMIT_BYTES && missingBytes <= FINISH_BYTES);
  if (isFinishDue && wal.sinceVainFinishMs >= FINISH_RETRY_MS) return "finish";
  return missingBytes >= WAL_TARGET_BYTES || wal.idleMs >= IDLE_MS || bytes >= WAL_LIMIT_BYTES
    ? "copy"
    : "none";
}
