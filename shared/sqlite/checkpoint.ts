import type { Connection } from "./driver.ts";

export interface CheckpointResult {
  /** Whether nothing was done, because of another checkpoint; for a restart, whether somebody stood in its way. */
  readonly busy: boolean;
  /** Frames in the WAL. */
  readonly walFrames: number;
  /** How many of them are in the database file. */
  readonly checkpointedFrames: number;
}

/** Copies what readers permit into the database file, and blocks nobody. */
export function passiveCheckpoint(connection: Connection): CheckpointResult {
  return checkpoint(connection, "PASSIVE");
}

/**
 * Copies all of the WAL into the database file and empties it, so that the next commit starts at its beginning. TRUNCATE
 * and not RESTART: RESTART leaves the actual restart to the next writer of SQL, and a hand-made commit is none.
 *
 * @returns false, after what could be copied has been, when a reader or writer stands in the way. Never waits.
 */
export function restartWal(connection: Connection): boolean {
  return !checkpoint(connection, "TRUNCATE").busy;
}

function checkpoint(connection: Connection, mode: "PASSIVE" | "TRUNCATE"): CheckpointResult {
  const [busy, walFrames, checkpointedFrames] = connection.row(`PRAGMA wal_checkpoint(${mode})`) as [
    number,
    number,
    number,
  ];
  return { busy: busy !== 0, walFrames, checkpointedFrames };
}
