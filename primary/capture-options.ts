import type { Durability } from "../shared/log/log-writer.ts";
import type { DriverName } from "../shared/sqlite/driver.ts";

export interface CaptureOptions {
  /** The database; made when there is none. */
  readonly file: string;
  /** The folder for all that is Tailrace's own. */
  readonly dataDir: string;
  readonly driverName: DriverName;
  /**
   * When a commit counts as durable. `commit`: it and those captured along with it are on disk before anybody hears of
   * them. `group`: the same, with at most one fsync in 5 ms. `os`: at once; a loss of power may take the newest.
   */
  readonly durability: Durability;
  /** 64 MiB. */
  readonly segmentSizeBytes?: number;
  /** The size of the SQLite WAL from which on a moment is sought to start it anew. 16 MiB. */
  readonly walSoftLimitBytes?: number;
  /** The log is not cut below this size. 1 GiB. */
  readonly keepLogBytes?: number;
  /** A snapshot is renewed after no less log than this. 256 MiB. */
  readonly snapshotAfterBytes?: number;
}

export const SEGMENT_SIZE_BYTES: number = 64 << 20;
export const WAL_SOFT_LIMIT_BYTES: number = 16 << 20;
export const KEEP_LOG_BYTES: number = 1 << 30;
