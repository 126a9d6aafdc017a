import { toErrorData } from "../shared/errors.ts";
import type { ErrorData } from "../shared/errors.ts";
import { meteredStorage } from "../shared/log/metered-storage.ts";
import type { PrimaryEngineMetrics } from "../shared/metrics/primary-engine.ts";
import { message } from "../shared/notice.ts";
import type { Notice } from "../shared/notice.ts";
import type { NodeHead } from "../shared/serve/engine.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { SnapshotStore } from "../shared/snapshots/snapshot-store.ts";
import { currentBootId } from "../shared/storage/boot-id.ts";
import type { DataFolder } from "../shared/storage/data-folder.ts";
import type { ReplicaTracker } from "../shared/tracking/replica-tracker.ts";
import type { UpkeepTroubles } from "../shared/upkeep-troubles.ts";
import type { Verification } from "../shared/verification/verification.ts";
import type { AttachedDatabase } from "./attached-database.ts";
import { CaptureLoop } from "./capture-loop.ts";
import { SEGMENT_SIZE_BYTES } from "./capture-options.ts";
import type { CaptureLimits, CaptureOptions } from "./capture-options.ts";
import { verificationOf } from "./capture-verification.ts";
import { Capture } from "./capture.ts";
import { CheckpointCycle } from "./checkpoint-cycle.ts";
import { leaveCleanClose } from "./clean-close.ts";
import { openDatabase } from "./open-database.ts";
import { Retention, retainedLog, retentionLimits } from "./retention.ts";
import { Snapshots } from "./snapshots.ts";

/** What runs for one database file, from attaching to it until detaching from it. */
export interface Attachment {
  readonly database: AttachedDatabase;
  readonly capture: Capture;
  readonly cycle: CheckpointCycle;
  readonly snapshots: Snapshots;
  readonly retention: Retention;
  readonly verification: Verification;
  readonly loop: CaptureLoop;
}

/** What outlives the database file. */
export interface AttachOptions {
  readonly options: CaptureOptions;
  readonly driver: Driver;
  readonly folder: DataFolder;
  /** As of when it is attached: that may take long. */
  readonly limits: () => CaptureLimits;
  readonly tracker: ReplicaTracker;
  readonly metrics: PrimaryEngineMetrics;
  readonly upkeep: UpkeepTroubles;
  /** The file is known to be another one than the log's. */
  readonly isNewDatabase: boolean;
  /** Generations that are being downloaded, as of then, too. */
  readonly heldGenerations: () => readonly number[];
  readonly notify: (notice: Notice) => void;
  readonly onHead: (head: NodeHead) => void;
  readonly onTrouble: (error: ErrorData | null) => void;
  /** Of something that goes wrong beside the capture. */
  readonly onError: (error: ErrorData) => void;
}

/**
 * Attaches to the database at the path, and brings log and database to one state. Nothing is captured before its loop runs.
 *
 * @throws anything that is wrong with the file or the folder; nothing is then left open
 */
export async function attach(given: AttachOptions): Promise<Attachment> {
  const { options, driver, folder, tracker, metrics, upkeep, isNewDatabase, notify, onHead } = given;
  const { file, durability, segmentSizeBytes = SEGMENT_SIZE_BYTES } = options;
  const say = (text: string): void => notify(message(text));
  const clock = Date.now;
  const database = openDatabase(driver, file);
  let capture: Capture | undefined;
  try {
    if (database.change !== undefined) say(`${file} ${database.change}`);
    const store = SnapshotStore.open(folder.snapshotsFolder);
    capture = await Capture.open({
      database,
      folder,
      // Mode `commit` is kept by the loop: one fsync for all that was found at once.
      durability: durability === "os" ? "os" : "group",
      bootId: options.bootId ?? currentBootId(),
      segmentSizeBytes,
      clock,
      say,
      isNewDatabase,
      snapshots: store,
      storage: meteredStorage((seconds) => metrics.fsyncSeconds.observe(seconds)),
    });
    const limits = given.limits();
    const cycle = new CheckpointCycle({
      capture,
      softLimitBytes: limits.walSoftLimitBytes,
      metrics,
      clock,
      notify,
    });
    const snapshots: Snapshots = new Snapshots({
      capture,
      store,
      clock,
      notify,
      metrics,
      policy: limits,
      logBytesAfter: (cursor) => retention.bytesAfter(cursor),
    });
    snapshots.hold(given.heldGenerations());
    const opened = capture;
    const retention = new Retention({
      tracker,
      clock,
      notify,
      limits: retentionLimits(limits),
      log: retainedLog(capture),
      folder: folder.logFolder,
      snapshots: () => snapshots.needed(),
      recovery: () => opened.table.mark.cursor,
      onSealed: () => onHead(loop.head),
    });
    const loop: CaptureLoop = new CaptureLoop({
      capture,
      cycle,
      snapshots,
      retention,
      upkeep,
      metrics,
      clock,
      onHead,
      isGrouping: durability === "group",
      onTrouble: given.onTrouble,
    });
    const verification = verificationOf({
      capture,
      retention,
      folder: folder.logFolder,
      clock,
      metrics,
      notify,
      onError: (error) => given.onError(toErrorData(error)),
    });
    return { database, capture, cycle, snapshots, retention, verification, loop };
  } catch (error) {
    capture?.close();
    database.connection.close();
    throw error;
  }
}

/** @param folder where it is written down that the file was left in place, in order; undefined where it was not */
export async function detach(attachment: Attachment, folder: DataFolder | undefined): Promise<void> {
  const { database, capture, cycle, snapshots, verification } = attachment;
  await verification.close();
  await snapshots.close();
  try {
    await (folder === undefined ? cycle.close() : cycle.finish());
    if (folder !== undefined && !capture.isMissing) await leaveCleanClose(capture, folder);
    capture.close();
  } finally {
    database.connection.close();
  }
}
