import { compareCursors } from "../format/cursor.ts";
import type { Cursor } from "../units.ts";

export interface RetentionState {
  /** Ascending and without holes; the last one is being written. */
  readonly segments: readonly { readonly segment: number; readonly sizeBytes: number }[];
  /**
   * Places from which the log may still be read: the cursor of each snapshot that is kept, and the floor, from where
   * the database would be repaired after a loss of power. Nothing at or after the earliest of them goes. Without any,
   * nothing goes at all.
   */
  readonly needed: readonly Cursor[];
  /** The log is not cut below this size: replicas that were away for a while catch up without a new snapshot. */
  readonly keepBytes: number;
}

/** @returns the first segment to keep: all before it may go */
export function firstSegmentToKeep({ segments, needed, keepBytes }: RetentionState): number {
  const first = segments[0]?.segment ?? 1;
  const earliest = needed.toSorted(compareCursors)[0];
  if (earliest === undefined) return first;
  let keptBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let keep = first;
  for (const { segment, sizeBytes } of segments) {
    if (segment >= earliest.segment || keptBytes - sizeBytes < keepBytes) break;
    keptBytes -= sizeBytes;
    keep = segment + 1;
  }
  return keep;
}

/** A snapshot is renewed when reading on from it means fetching more log than a new one would be, and no sooner than this. */
export const SNAPSHOT_MIN_LOG_BYTES: number = 256 << 20;

export interface SnapshotNeed {
  /** Since the newest snapshot; all there is where there is none. */
  readonly logBytesSince: number;
  readonly databaseBytes: number;
  readonly hasSnapshot: boolean;
  readonly snapshotAfterBytes: number;
  readonly keepLogBytes: number;
}

/** Without any snapshot nobody has asked for one; it is made all the same when the log cannot be cut for want of it. */
export function isSnapshotDue(need: SnapshotNeed): boolean {
  const { logBytesSince, databaseBytes, snapshotAfterBytes, keepLogBytes } = need;
  const limitBytes = need.hasSnapshot ? snapshotAfterBytes : Math.max(snapshotAfterBytes, keepLogBytes);
  return logBytesSince > Math.max(limitBytes, databaseBytes);
}
