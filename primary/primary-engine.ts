import { statSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { TailraceError, asTailraceError, toErrorData } from "../shared/errors.ts";
import type { ErrorData } from "../shared/errors.ts";
import { formatCursor } from "../shared/format/cursor.ts";
import type { NodeHead, SnapshotInfo } from "../shared/serve/engine.ts";
import type { EngineStatus } from "../shared/status.ts";
import { SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_READONLY, loadDriver } from "../shared/sqlite/driver.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { SNAPSHOT_MIN_LOG_BYTES } from "../shared/plan/retention.ts";
import { SnapshotStore } from "../shared/snapshots/snapshot-store.ts";
import { DataFolder } from "../shared/storage/data-folder.ts";
import { inspectDatabaseFile } from "../shared/storage/database-file.ts";
import { assertSupportedFileSystem } from "../shared/storage/file-system.ts";
import { hex64 } from "../shared/units.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import { dirname, resolve } from "node:path";
import { attachDatabase } from "./attached-database.ts";
import type { AttachedDatabase } from "./attached-database.ts";
import { CaptureLoop } from "./capture-loop.ts";
import { KEEP_LOG_BYTES, SEGMENT_SIZE_BYTES, WAL_SOFT_LIMIT_BYTES } from "./capture-options.ts";
import type { CaptureOptions } from "./capture-options.ts";
import { Capture } from "./capture.ts";
import { leaveCleanClose } from "./clean-close.ts";
import { CheckpointCycle } from "./checkpoint-cycle.ts";
import { Snapshots } from "./snapshots.ts";

/** A new file counts as complete when it has not changed for this long. */
const SETTLE_MS = 1000;

export interface EngineListeners {
  readonly onHead: (head: NodeHead) => void;
  readonly onTrouble: (error: ErrorData | null) => void;
  /** The log cannot be served for a while; null when it can again. */
  readonly onUnready: (error: ErrorData | null) => void;
  /** A sentence for the user. */
  readonly say: (text: string) => void;
}

/** What is running for one database file. */
interface Running {
  readonly database: AttachedDatabase;
  readonly capture: Capture;
  readonly cycle: CheckpointCycle;
  readonly snapshots: Snapshots;
  readonly loop: CaptureLoop;
}

/** A primary but for its HTTP server: attaches, captures, follows the path to another file, and detaches. */
export class PrimaryEngine {
  private readonly options: CaptureOptions;
  private readonly listeners: EngineListeners;
  private readonly driver: Driver;
  private readonly folder: DataFolder;
  private running: Running | undefined;
  /** What ended it. */
  private failure: TailraceError | undefined;
  private isClosing = false;

  /** @throws anything that is wrong with the file, the folder or the driver */
  static async start(options: CaptureOptions, listeners: EngineListeners): Promise<PrimaryEngine> {
    const driver = await loadDriver(options.driverName);
    inspectDatabaseFile(options.file);
    assertSupportedFileSystem(dirname(resolve(options.file)));
    const folder = DataFolder.open(options.dataDir, driver);
    const engine = new PrimaryEngine(options, listeners, driver, folder);
    try {
      engine.running = await engine.attach(false);
    } catch (error) {
      folder.close();
      throw error;
    }
    return engine;
  }

  private constructor(
    options: CaptureOptions,
    listeners: EngineListeners,
    driver: Driver,
    folder: DataFolder,
  ) {
    this.options = options;
    this.listeners = listeners;
    this.driver = driver;
    this.folder = folder;
  }

  /** Runs until {@link close}. @throws what cannot be retried */
  async run(): Promise<void> {
    for (;;) {
      const running = this.now();
      this.listeners.onHead(running.loop.head);
      const end = await running.loop.run().catch((error: unknown) => this.fail(running, error));
      await this.detach(running, end === "closed");
      if (end === "closed") return;
      this.listeners.say(`${this.options.file} was replaced by another file`);
      this.running = undefined;
      this.listeners.onUnready(toErrorData(this.replaced()));
      this.running = await this.attachWhenSettled();
      if (this.running === undefined) return;
      this.listeners.onUnready(null);
    }
  }

  get head(): NodeHead | undefined {
    return this.running?.loop.head;
  }

  durable(): Promise<{ readonly txid: Txid; readonly cursor: Cursor }> {
    return this.now().loop.durable();
  }

  /** The newest snapshot, made when there is none. */
  async latestSnapshot(): Promise<SnapshotInfo> {
    return await this.now().snapshots.latest();
  }

  /** A new snapshot. */
  async takeSnapshot(): Promise<SnapshotInfo> {
    return await this.now().snapshots.take();
  }

  /** Copies the SQLite WAL into the database file. */
  async checkpoint(): Promise<{ readonly isComplete: boolean }> {
    return { isComplete: await this.now().cycle.runAndMark() };
  }

  status(): EngineStatus {
    const { capture, cycle, snapshots, loop, database } = this.now();
    const { log, table, meta } = capture;
    return {
      role: "primary",
      database: {
        file: database.file,
        pageSizeBytes: meta.pageSizeBytes,
        pageCount: log.headPageCount,
        checksum: hex64(log.headChecksum),
      },
      log: {
        logId: meta.logId,
        epoch: meta.epoch,
        headTxid: log.headTxid,
        headTimeMs: log.headCommitTimeMs,
        start: formatCursor(log.start),
        end: formatCursor(log.durableEnd),
        durability: this.options.durability,
      },
      wal: {
        ...capture.wal(),
        mayRestart: capture.pin.mayRestart,
        completedCheckpoints: cycle.completedCount,
        heldWriters: cycle.holdCount,
      },
      checkpointedTxid: table.mark.txid,
      differences: capture.differenceCount,
      comparedPagesAtStart: capture.comparedPages,
      snapshots: snapshots.list().map(({ generation, txid, createdMs, pageCount, pageSizeBytes }) => ({
        generation,
        txid,
        createdMs,
        sizeBytes: pageCount * pageSizeBytes,
      })),
      lastError: loop.trouble,
      asOfMs: Date.now(),
    };
  }

  /** Captures what is committed, and lets {@link run} end. */
  close(): void {
    this.isClosing = true;
    this.running?.loop.stop();
  }

  /** Lets go of everything: an application must not have to live with the pin of a capture that does nothing. */
  private async fail(running: Running, error: unknown): Promise<never> {
    this.failure = asTailraceError(error);
    this.running = undefined;
    await this.detach(running, false).catch(() => {});
    this.folder.close();
    throw this.failure;
  }

  private now(): Running {
    if (this.failure !== undefined) throw this.failure;
    if (this.running !== undefined) return this.running;
    throw this.replaced();
  }

  private replaced(): TailraceError {
    return new TailraceError("not_ready", `${this.options.file} was replaced; waiting for the new file`, {
      retryable: true,
    });
  }

  private async attach(isNewDatabase: boolean): Promise<Running> {
    const { options, listeners, driver, folder } = this;
    const { file, durability, segmentSizeBytes = SEGMENT_SIZE_BYTES } = options;
    const { walSoftLimitBytes = WAL_SOFT_LIMIT_BYTES, keepLogBytes = KEEP_LOG_BYTES } = options;
    const { snapshotAfterBytes = SNAPSHOT_MIN_LOG_BYTES } = options;
    const clock = Date.now;
    const database = openDatabase(driver, file);
    let capture: Capture | undefined;
    try {
      if (database.change !== undefined) listeners.say(`${file} ${database.change}`);
      const store = SnapshotStore.open(folder.snapshotsFolder);
      capture = await Capture.open({
        database,
        folder,
        // Mode `commit` is kept by the loop: one fsync for all that was found at once.
        durability: durability === "os" ? "os" : "group",
        segmentSizeBytes,
        clock,
        say: listeners.say,
        isNewDatabase,
      });
      const cycle = new CheckpointCycle(capture, walSoftLimitBytes);
      const limits = { keepLogBytes, snapshotAfterBytes };
      const snapshots = new Snapshots({ capture, folder, store, limits, clock });
      const loop = new CaptureLoop({
        capture,
        cycle,
        snapshots,
        isGrouping: durability === "group",
        onHead: listeners.onHead,
        onTrouble: listeners.onTrouble,
      });
      return { database, capture, cycle, snapshots, loop };
    } catch (error) {
      capture?.close();
      database.connection.close();
      throw error;
    }
  }

  private async detach({ database, capture, cycle, snapshots }: Running, isInPlace: boolean): Promise<void> {
    await snapshots.close();
    try {
      await (isInPlace ? cycle.finish() : cycle.close());
      if (isInPlace && !capture.isMissing) await leaveCleanClose(capture, this.folder);
      capture.close();
    } finally {
      database.connection.close();
      if (isInPlace) this.folder.close();
    }
  }

  /** @returns undefined when closed before there was a file to attach to */
  private async attachWhenSettled(): Promise<Running | undefined> {
    let last = "";
    while (!this.isClosing) {
      const seen = look(this.options.file);
      if (seen !== undefined && seen === last) {
        try {
          inspectDatabaseFile(this.options.file);
          return await this.attach(true);
        } catch (error) {
          this.listeners.onTrouble(asTailraceError(error));
        }
      }
      last = seen ?? "";
      await setTimeout(SETTLE_MS);
    }
    this.folder.close();
    return undefined;
  }
}

/** What changes with a file while it is being copied into place. */
function look(file: string): string | undefined {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats && [stats.dev, stats.ino, stats.size, stats.mtimeNs].join(":");
}

function openDatabase(driver: Driver, file: string): AttachedDatabase {
  try {
    return attachDatabase(driver, file);
  } catch (cause) {
    const code = driver.resultCode(cause);
    const message = `${file}: ${String(cause)}`;
    if (code === SQLITE_NOTADB) {
      throw new TailraceError("not_a_database", message, {
        cause,
        hint: "An encrypted database looks the same; Tailrace needs a plain one.",
      });
    }
    if (code === SQLITE_CORRUPT) {
      throw new TailraceError("database_corrupt", message, { cause, hint: "Restore it from a backup." });
    }
    if (code === SQLITE_READONLY) {
      throw new TailraceError("read_only", message, { cause, hint: "Give this user write access to it." });
    }
    throw cause;
  }
}
