import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { asTailraceError, toErrorData } from "../shared/errors.ts";
import type { ErrorData, TailraceError } from "../shared/errors.ts";
import { EventLoopDelay } from "../shared/metrics/event-loop.ts";
import type { MetricsJson } from "../shared/metrics/metric-set.ts";
import { PrimaryEngineMetrics } from "../shared/metrics/primary-engine.ts";
import { message, notice } from "../shared/notice.ts";
import type { Notice } from "../shared/notice.ts";
import { RecentErrors, recentError } from "../shared/recent-errors.ts";
import type { CheckpointOutcome, NodeHead, ServeReport, SnapshotInfo } from "../shared/serve/engine.ts";
import type { PrimaryEngineStatus, ReplicaStatus, SegmentStatus } from "../shared/status.ts";
import type { VerificationStatus } from "../shared/verification/verification-status.ts";
import { loadDriver } from "../shared/sqlite/driver.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { DataFolder } from "../shared/storage/data-folder.ts";
import { inspectDatabaseFile } from "../shared/storage/database-file.ts";
import { assertSupportedFileSystem } from "../shared/storage/file-system.ts";
import { DiskGauge } from "../shared/storage/disk-space.ts";
import { ReplicaTracker } from "../shared/tracking/replica-tracker.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import { UpkeepTroubles } from "../shared/upkeep-troubles.ts";
import { fileReplaced } from "./attached-database.ts";
import { attach, detach } from "./attachment.ts";
import type { Attachment } from "./attachment.ts";
import { DEFAULT_CAPTURE_LIMITS, limitsOf } from "./capture-options.ts";
import type { CaptureLimits, CaptureOptions } from "./capture-options.ts";
import { primaryStatus } from "./primary-status.ts";
import { retentionLimits } from "./retention.ts";

/** A new file counts as complete when it has not changed for this long. */
const SETTLE_MS = 1000;

export interface EngineListeners {
  readonly onHead: (head: NodeHead) => void;
  readonly onTrouble: (error: ErrorData | null) => void;
  /** The log cannot be served for a while; null when it can again. */
  readonly onUnready: (error: ErrorData | null) => void;
  readonly notify: (notice: Notice) => void;
}

/** A primary but for its HTTP server: attaches, captures, follows the path to another file, and detaches. */
export class PrimaryEngine {
  private readonly options: CaptureOptions;
  private readonly listeners: EngineListeners;
  private readonly driver: Driver;
  private readonly folder: DataFolder;
  /** Outlives the database file, as replicas do. */
  private readonly tracker: ReplicaTracker;
  private readonly disk: DiskGauge;
  private readonly eventLoop = new EventLoopDelay("engine", () => performance.now());
  private readonly counts = new PrimaryEngineMetrics(this.eventLoop);
  private readonly errors = new RecentErrors((code) => this.counts.failed(code));
  private readonly upkeep: UpkeepTroubles;
  /** What each serving thread says is being downloaded. */
  private readonly heldGenerations = new Map<object, readonly number[]>();
  private limits: CaptureLimits;
  /** The trouble that was told of last. */
  private toldTrouble = "";
  private running: Attachment | undefined;
  /** What ended it. */
  private failure: TailraceError | undefined;
  private isClosing = false;

  /** @throws anything that is wrong with the file, the folder or the driver */
  static async start(options: CaptureOptions, listeners: EngineListeners): Promise<PrimaryEngine> {
    const driver = await loadDriver(options.driverName);
    inspectDatabaseFile(options.file);
    assertSupportedFileSystem(dirname(resolve(options.file)));
    const folder = DataFolder.open(options.dataDir, driver);
    try {
      const { notify } = listeners;
      let engine: PrimaryEngine | undefined;
      const tracker = ReplicaTracker.open({
        file: folder.replicasFile,
        clock: Date.now,
        // While capture fails, whoever has all that there is may be behind all the same.
        headFreshAsOfMs: () => engine?.running?.loop.freshAsOfMs ?? Date.now(),
        notify,
      });
      engine = new PrimaryEngine(options, listeners, driver, folder, tracker);
      engine.running = await engine.attach(false);
      return engine;
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  private constructor(
    options: CaptureOptions,
    listeners: EngineListeners,
    driver: Driver,
    folder: DataFolder,
    tracker: ReplicaTracker,
  ) {
    this.options = options;
    this.tracker = tracker;
    this.disk = new DiskGauge(folder.path, Date.now);
    this.limits = limitsOf(options, DEFAULT_CAPTURE_LIMITS);
    this.listeners = listeners;
    this.upkeep = new UpkeepTroubles({
      clock: Date.now,
      notify: listeners.notify,
      onError: (error) => this.noteError(error),
    });
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
      this.listeners.notify(message(`${this.options.file} was replaced by another file`));
      this.running = undefined;
      this.listeners.onUnready(toErrorData(fileReplaced(this.options.file)));
      this.running = await this.attachWhenSettled();
      if (this.running === undefined) return;
      // With attaching.
      if (this.toldTrouble !== "") this.troubled(null);
      this.listeners.onUnready(null);
    }
  }

  get head(): NodeHead | undefined {
    return this.running?.loop.head;
  }

  durable(): Promise<{ readonly txid: Txid; readonly cursor: Cursor }> {
    return this.now().loop.durable();
  }

  /** What a serving thread has seen. */
  report({ sightings, heldGenerations }: ServeReport, from: object): void {
    this.heldGenerations.set(from, heldGenerations);
    this.running?.snapshots.hold(this.held());
    this.running?.retention.report(sightings);
  }

  /** The serving thread has gone. */
  forgetServer(from: object): void {
    this.heldGenerations.delete(from);
    this.running?.snapshots.hold(this.held());
  }

  /** For a newcomer. */
  async latestSnapshot(): Promise<SnapshotInfo> {
    return await this.now().snapshots.latest();
  }

  /** A new snapshot. */
  async takeSnapshot(): Promise<SnapshotInfo> {
    return await this.now().snapshots.take();
  }

  /** Copies the SQLite WAL into the database file. */
  async checkpoint(): Promise<CheckpointOutcome> {
    const { cycle, capture } = this.now();
    const isComplete = await cycle.runAndMark();
    const { publishedFrames, backfilledFrames } = capture.wal();
    return { isComplete, walFrames: publishedFrames, copiedFrames: backfilledFrames };
  }

  /** @throws replica_unknown */
  forget(id: string): ReplicaStatus {
    return this.now().retention.forget(id);
  }

  segments(): SegmentStatus[] {
    return this.now().retention.segments();
  }

  startVerification(): VerificationStatus {
    return this.now().verification.start();
  }

  verification(): VerificationStatus {
    return this.now().verification.status();
  }

  /** Other limits from now on; those that are not given stay. */
  configure(limits: Partial<CaptureLimits>): void {
    this.limits = limitsOf(limits, this.limits);
    const { running } = this;
    if (running === undefined) return;
    running.cycle.softLimitBytes = this.limits.walSoftLimitBytes;
    running.snapshots.policy = this.limits;
    running.retention.limits = retentionLimits(this.limits);
  }

  status(): PrimaryEngineStatus {
    const { tracker, disk, errors, upkeep, limits } = this;
    const { durability } = this.options;
    return primaryStatus({
      ...this.now(),
      tracker,
      disk,
      errors,
      upkeep,
      limits,
      durability,
      nowMs: Date.now(),
    });
  }

  /** What is counted is told also while there is no database. */
  metrics(): Promise<MetricsJson> {
    return this.counts.json(this.running === undefined ? null : this.status());
  }

  /** Captures what is committed, and lets {@link run} end. */
  close(): void {
    this.isClosing = true;
    this.running?.loop.stop();
  }

  /** Lets go of everything: an application must not have to live with the pin of a capture that does nothing. */
  private async fail(running: Attachment, error: unknown): Promise<never> {
    this.failure = asTailraceError(error);
    this.running = undefined;
    this.noteError(toErrorData(this.failure));
    await this.detach(running, false).catch(() => {});
    this.release();
    throw this.failure;
  }

  private now(): Attachment {
    if (this.failure !== undefined) throw this.failure;
    if (this.running !== undefined) return this.running;
    throw fileReplaced(this.options.file);
  }

  private attach(isNewDatabase: boolean): Promise<Attachment> {
    const { options, driver, folder, tracker, upkeep } = this;
    const { notify, onHead } = this.listeners;
    return attach({
      options,
      driver,
      folder,
      limits: () => this.limits,
      tracker,
      metrics: this.counts,
      upkeep,
      isNewDatabase,
      heldGenerations: () => this.held(),
      notify,
      onHead,
      onTrouble: (error) => this.troubled(error),
      onError: (error) => this.noteError(error),
    });
  }

  private async detach(attachment: Attachment, isInPlace: boolean): Promise<void> {
    try {
      await detach(attachment, isInPlace ? this.folder : undefined);
    } finally {
      if (isInPlace) this.release();
    }
  }

  /** Lets go of the data folder. */
  private release(): void {
    this.eventLoop.close();
    this.tracker.close();
    this.folder.close();
  }

  private held(): readonly number[] {
    return [...this.heldGenerations.values()].flat();
  }

  private noteError(error: ErrorData): void {
    this.errors.add(recentError(error, Date.now()));
  }

  /** Tells of each trouble once, however often it is retried, and of its end. */
  private troubled(error: ErrorData | null): void {
    this.listeners.onTrouble(error);
    if (error !== null) this.noteError(error);
    const told = error === null ? "" : `${error.code} ${error.message}`;
    if (told === this.toldTrouble) return;
    this.toldTrouble = told;
    this.listeners.notify(error === null ? RECOVERED : troubleNotice(error));
  }

  /** @returns undefined when closed before there was a file to attach to */
  private async attachWhenSettled(): Promise<Attachment | undefined> {
    let last = "";
    while (!this.isClosing) {
      const seen = look(this.options.file);
      if (seen !== undefined && seen === last) {
        try {
          inspectDatabaseFile(this.options.file);
          return await this.attach(true);
        } catch (error) {
          this.troubled(toErrorData(error));
        }
      }
      last = seen ?? "";
      await setTimeout(SETTLE_MS);
    }
    this.release();
    return undefined;
  }
}

const RECOVERED: Notice = notice("info", "capture_recovered", "capture is well again", {});

function troubleNotice({ code, message: what, hint }: ErrorData): Notice {
  const fields = { code, message: what, hint: hint ?? null };
  return notice("warn", "capture_trouble", `retrying after ${code}: ${what}`, fields);
}

/** What changes with a file while it is being copied into place. */
function look(file: string): string | undefined {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats && [stats.dev, stats.ino, stats.size, stats.mtimeNs].join(":");
}
