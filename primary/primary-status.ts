import { statSync } from "node:fs";
import type { Durability } from "../shared/log/log-writer.ts";
import type { RecentErrors } from "../shared/recent-errors.ts";
import { recentError } from "../shared/recent-errors.ts";
import type { PrimaryEngineStatus } from "../shared/status.ts";
import type { DiskGauge } from "../shared/storage/disk-space.ts";
import type { ReplicaTracker } from "../shared/tracking/replica-tracker.ts";
import { hex64 } from "../shared/units.ts";
import type { UpkeepTroubles } from "../shared/upkeep-troubles.ts";
import type { AttachedDatabase } from "./attached-database.ts";
import type { CaptureLoop } from "./capture-loop.ts";
import type { CaptureLimits } from "./capture-options.ts";
import type { Capture } from "./capture.ts";
import type { CheckpointCycle } from "./checkpoint-cycle.ts";
import type { Retention } from "./retention.ts";
import type { Snapshots } from "./snapshots.ts";

export interface StatusParts {
  readonly database: AttachedDatabase;
  readonly capture: Capture;
  readonly cycle: CheckpointCycle;
  readonly snapshots: Snapshots;
  readonly retention: Retention;
  readonly loop: CaptureLoop;
  readonly tracker: ReplicaTracker;
  readonly disk: DiskGauge;
  readonly errors: RecentErrors;
  readonly upkeep: UpkeepTroubles;
  readonly limits: CaptureLimits;
  readonly durability: Durability;
  /** Unix ms. */
  readonly nowMs: number;
}

/** The engine's part of the status document. */
export function primaryStatus(parts: StatusParts): PrimaryEngineStatus {
  const { database, capture, cycle, snapshots, retention, loop, tracker, errors, limits, nowMs } = parts;
  const { log, table, meta } = capture;
  const disk = parts.disk.read();
  const trouble = loop.trouble;
  return {
    role: "primary",
    asOfMs: nowMs,
    database: {
      file: database.file,
      pageSizeBytes: meta.pageSizeBytes,
      pageCount: log.headPageCount,
      sizeBytes: log.headPageCount * meta.pageSizeBytes,
      checksum: hex64(log.headChecksum),
      isReadable: true,
    },
    log: {
      logId: meta.logId,
      epoch: meta.epoch,
      pageSizeBytes: meta.pageSizeBytes,
      start: log.start,
      end: log.durableEnd,
      headTxid: log.headTxid,
      headTimeMs: log.headCommitTimeMs,
      databaseChecksum: hex64(log.headChecksum),
      durability: parts.durability,
      ...retention.status(),
      diskFreeBytes: disk?.freeBytes ?? null,
      diskSizeBytes: disk?.sizeBytes ?? null,
    },
    wal: {
      // The path is that of this database, or of none: a replaced file is seen within the moment.
      sizeBytes: statSync(database.walFile, { throwIfNoEntry: false })?.size ?? 0,
      ...capture.wal(),
      mayRestart: capture.pin.mayRestart,
      completedCheckpoints: cycle.completedCount,
      heldWriters: cycle.holdCount,
      heldUpSinceMs: cycle.heldUpSinceMs,
      softLimitBytes: limits.walSoftLimitBytes,
    },
    checkpointedTxid: table.mark.txid,
    differences: capture.differenceCount,
    comparedPagesAtStart: capture.comparedPages,
    snapshots: snapshots.status(),
    snapshotSinceMs: snapshots.sinceMs,
    replicas: retention.replicas(),
    replicasLost: tracker.lostCount,
    replicasReleased: tracker.releasedCount,
    errors: errors.list,
    upkeepTroubles: parts.upkeep.list,
    lastError: trouble === null ? null : recentError(trouble, loop.troubleSinceMs ?? nowMs),
  };
}
