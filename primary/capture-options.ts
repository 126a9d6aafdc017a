import type { Durability } from "../shared/log/log-writer.ts";
import type { DriverName } from "../shared/sqlite/driver.ts";

const MIB = 1 << 20;
const GIB = 1 << 30;
const DAY_MS = 86_400_000;

/** What can be changed while it runs. */
export interface CaptureLimits {
  /** The log is not cut below this size. */
  readonly keepLogBytes: number;
  /** Nothing of the log goes that is younger. */
  readonly keepLogMs: number;
  /** Past it, replicas are given up; what the newest snapshot and recovery need stays. Null: no limit. */
  readonly maxLogBytes: number | null;
  /** For how long the log is held for a replica that does not ask. */
  readonly holdInactiveMs: number;
  /** A snapshot is renewed after no less log than this. */
  readonly snapshotAfterBytes: number;
  /** A snapshot is renewed when it is so old, if something was committed since. */
  readonly snapshotMaxAgeMs: number;
  /** As many generations of snapshots are kept; at least one. */
  readonly keepSnapshots: number;
  /** The size of the SQLite WAL from which on a moment is sought to start it anew. */
  readonly walSoftLimitBytes: number;
}

export const DEFAULT_CAPTURE_LIMITS: CaptureLimits = {
  keepLogBytes: GIB,
  keepLogMs: 0,
  maxLogBytes: 10 * GIB,
  holdInactiveMs: DAY_MS,
  snapshotAfterBytes: 256 * MIB,
  snapshotMaxAgeMs: DAY_MS,
  keepSnapshots: 2,
  // With pages of 4 KiB: below the 1,000 frames from which on SQLite lets each commit of the application try a checkpoint, which the pin makes vain.
  walSoftLimitBytes: MIB,
};

/** Limits that are left out have the values of {@link DEFAULT_CAPTURE_LIMITS}. */
export interface CaptureOptions extends Partial<CaptureLimits> {
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
  /** 32 hex digits. The system's own where it is left out; another one stands for a machine that went down. */
  readonly bootId?: string;
}

export const SEGMENT_SIZE_BYTES: number = 64 * MIB;

/** Those limits that are given, over others; anything else that stands beside them is left out. */
export function limitsOf(given: Partial<CaptureLimits>, otherwise: CaptureLimits): CaptureLimits {
  return {
    keepLogBytes: given.keepLogBytes ?? otherwise.keepLogBytes,
    keepLogMs: given.keepLogMs ?? otherwise.keepLogMs,
    // Null is a limit too: none.
    maxLogBytes: given.maxLogBytes === undefined ? otherwise.maxLogBytes : given.maxLogBytes,
    holdInactiveMs: given.holdInactiveMs ?? otherwise.holdInactiveMs,
    snapshotAfterBytes: given.snapshotAfterBytes ?? otherwise.snapshotAfterBytes,
    snapshotMaxAgeMs: given.snapshotMaxAgeMs ?? otherwise.snapshotMaxAgeMs,
    keepSnapshots: given.keepSnapshots ?? otherwise.keepSnapshots,
    walSoftLimitBytes: given.walSoftLimitBytes ?? otherwise.walSoftLimitBytes,
  };
}
