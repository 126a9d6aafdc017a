import { duration, size } from "../human.ts";
import type { Finding, NodeDocument } from "./health.ts";

/** Of the disk. */
const DISK_LOW_SHARE = 0.1;
const DISK_FULL_SHARE = 0.02;
/** Snapshots are renewed after a day of commits: after two, something keeps them from it. */
const SNAPSHOT_OLD_MS = 48 * 3_600_000;

/** What is wrong with the disk, the log and the snapshots of a node. */
export function* storageFindings({ log, snapshots, nowMs, role }: NodeDocument): Iterable<Finding> {
  if (log === null) return;
  const { diskFreeBytes, diskSizeBytes, headTxid } = log;
  if (typeof diskFreeBytes === "number" && typeof diskSizeBytes === "number" && diskSizeBytes > 0) {
    const share = diskFreeBytes / diskSizeBytes;
    if (share < DISK_LOW_SHARE) {
      yield {
        severity: share < DISK_FULL_SHARE ? "error" : "warning",
        code: "disk_low",
        replicas: [],
        text: `the disk of the log has ${size(diskFreeBytes)} left of ${size(diskSizeBytes)}`,
        wayOut: "Make room, or let the log be smaller with --keep-log-bytes and --max-log-bytes.",
      };
    }
  }
  if (typeof log.damagedThrough === "number") {
    yield {
      severity: "error",
      code: "log_damaged",
      replicas: [],
      text: `the log is damaged in segment ${log.damagedThrough}, and given up to there`,
      wayOut:
        role === "primary"
          ? "Look at the disk. The damaged part goes after the next commit and a snapshot, which is taken by itself; who needs it resyncs."
          : "Look at the disk. The damaged part goes when its segment is complete, or at once where you remove the log folder of this node's data folder.",
    };
  }
  const newest = snapshots.toSorted((a, b) => a.generation - b.generation).at(-1);
  if (
    role === "primary" &&
    newest !== undefined &&
    headTxid > newest.txid &&
    nowMs - newest.createdMs > SNAPSHOT_OLD_MS
  ) {
    yield {
      severity: "warning",
      code: "snapshot_old",
      replicas: [],
      text: `the newest snapshot is ${duration(nowMs - newest.createdMs)} old`,
      wayOut: "Take one with tailrace snapshot; if that fails, it says why.",
    };
  }
}
