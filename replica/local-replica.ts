import { existsSync, renameSync, rmSync } from "node:fs";
import { asTailraceError } from "../shared/errors.ts";
import { failpoint } from "../shared/failpoint.ts";
import { compareCursors } from "../shared/format/cursor.ts";
import type { Position } from "../shared/format/position.ts";
import { LogCopy } from "../shared/log/log-copy.ts";
import type { DatabaseView } from "../shared/pages/database-view.ts";
import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Work } from "../shared/plan/follow-state.ts";
import type { CheckpointOutcome } from "../shared/serve/engine.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { syncFolder } from "../shared/storage/atomic-file.ts";
import { isAbsent } from "../shared/storage/database-file.ts";
import type { ReplicaRoom } from "../shared/storage/disk-room.ts";
import type { Cursor, PageNumber } from "../shared/units.ts";
import { putBack } from "./belongings.ts";
import type { Belonging } from "./belongings.ts";
import { bootstrap, unrelatedDatabase } from "./bootstrap.ts";
import type { BootstrapOptions } from "./bootstrap.ts";
import { assertOwn, firstWork, openPosition, remember } from "./first-look.ts";
import { isSameFile, stampAnew, stampOf } from "./position-file.ts";
import type { PositionFile } from "./position-file.ts";
import type { Chunk } from "./receiver.ts";
import { ReplicaDatabase } from "./replica-database.ts";
import { replicaFiles } from "./replica-files.ts";
import type { ReplicaFiles } from "./replica-files.ts";
import { resync } from "./resync.ts";
import type { ResyncOutcome, ResyncSource } from "./resync.ts";
import type { SnapshotClient } from "./snapshot-client.ts";
import { Standing, notExact } from "./standing.ts";
import type { WalStatus } from "./wal-care.ts";

/** Up to here a sync is as quick as the way to another thread and back. */
const SYNC_AT_ONCE_BYTES: number = 256 << 10;

export interface LocalReplicaOptions {
  readonly file: string;
  readonly dataDir: string;
  readonly driver: Driver;
  /** Whether received bytes are on the disk before more are asked for. */
  readonly isDurable: boolean;
  /** The newest history that is durably known of; the position may have lost sight of it in a power loss. */
  readonly seen: { readonly logId?: string | undefined; readonly epoch?: number | undefined };
  /** Of the machine ({@link ../shared/storage/boot-id.ts!currentBootId}). */
  readonly bootId: string;
  /** What comes from the primary is written only where it has. */
  readonly room: ReplicaRoom;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly metrics: ReplicaEngineMetrics;
  readonly report: (message: string) => void;
  /** After each commit. */
  readonly onApplied: (position: Position) => void;
  /** What else stands in the data folder, the folder itself first. */
  readonly belongings?: readonly Belonging[];
}

/**
 * All that a replica has on its own disk: database, position, page table, log copy. Knows how each is brought into
 * order, and nothing of the network's moods. Its owner calls one thing at a time.
 *
 * After any failure of {@link applyNext} the standing is given up; {@link stand} proves it anew.
 */
export class LocalReplica {
  readonly files: ReplicaFiles;
  private readonly options: LocalReplicaOptions;
  private readonly positionFile: PositionFile;
  private copy: LogCopy | undefined;
  private database: ReplicaDatabase | undefined;
  private standing: Standing | undefined;
  private wasRunning = false;
  /** The primary had more to send than what has come. */
  private isBehind = false;

  private constructor(options: LocalReplicaOptions, files: ReplicaFiles, positionFile: PositionFile) {
    this.options = options;
    this.files = files;
    this.positionFile = positionFile;
  }

  /**
   * Opens what there is. The data folder exists, and is held by the caller.
   *
   * @returns with it, what has to be done first
   * @throws unrelated_database, and nothing is changed; unknown_version, storage_failed
   */
  static open(options: LocalReplicaOptions): { readonly replica: LocalReplica; readonly work: Work } {
    const files = replicaFiles(options.dataDir, options.file);
    assertOwn(options.file, files);
    const positionFile = openPosition(files, options.report);
    const replica = new LocalReplica(options, files, positionFile);
    try {
      remember(options.seen, positionFile);
      return { replica, work: firstWork(options.file, files, positionFile.position, options.report) };
    } catch (error) {
      replica.positionFile.close();
      throw error;
    }
  }

  /** Where the replica is; undefined before the first bootstrap, and while a resync lands: it is one of two states then. */
  get position(): Position | undefined {
    const { position } = this.standing ?? this.positionFile;
    return position?.phase === "resyncing" ? undefined : position;
  }

  /** Whether no database stands at the path: nothing can be proven or compared then, only fetched. */
  get isGone(): boolean {
    return isAbsent(this.options.file);
  }

  /** Whether a database is open and can be read, however old. */
  get isReadable(): boolean {
    return this.database !== undefined;
  }

  /** Where the primary is to be asked to go on; undefined while there is no standing. */
  get received(): Cursor | undefined {
    return this.standing === undefined ? undefined : this.copy?.end;
  }

  /** Of what was received, as far as it has to be durable at all. */
  get unsyncedBytes(): number {
    return this.options.isDurable ? (this.copy?.unsyncedBytes ?? 0) : 0;
  }

  get logStart(): Cursor | undefined {
    return this.copy?.start;
  }

  /** Bytes received and not applied. */
  get backlogBytes(): number {
    return this.standing?.backlogBytes ?? 0;
  }

  /** The log copy is needed from here on by this replica itself; undefined while that is not known. */
  get recovery(): Cursor | undefined {
    return this.standing?.care.recovery;
  }

  /** Of the page table, for a page as it is applied; while there is a standing. */
  hashOf(page: PageNumber): bigint {
    return this.standing?.hashOf(page) ?? 0n;
  }

  get walStatus(): WalStatus | undefined {
    return this.standing?.care.status;
  }

  /**
   * A view of exactly the state that the position names, which is returned with it.
   *
   * @throws not_ready while there is no such state, as in the middle of a batch
   */
  view(): { readonly view: DatabaseView; readonly position: Position } {
    const { standing } = this;
    const view = standing?.view();
    if (standing === undefined || view === undefined) throw notExact();
    return { view, position: standing.position };
  }

  /** Forgets the segments of the log copy before the given one, but for what the replica itself needs. @throws storage_failed */
  dropLogBefore(segment: number): void {
    const { recovery } = this;
    if (recovery !== undefined) this.copy?.dropBefore(Math.min(segment, recovery.segment));
  }

  /** Copies the SQLite WAL into the database file as far as readers permit. @throws not_ready, storage_failed */
  async checkpoint(): Promise<CheckpointOutcome> {
    if (this.standing === undefined) throw notExact();
    return await this.standing.care.finish();
  }

  /**
   * Downloads and publishes the primary's snapshot. A try that has failed after that goes on from there: what stands at the
   * path is this replica's own by then.
   *
   * @throws as {@link bootstrap}
   */
  async bootstrap(
    client: SnapshotClient,
    onProgress: (doneBytes: number, totalBytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.letGo();
    this.putBack();
    const forgetLog = (): void => this.replaceCopy();
    await bootstrap({ ...this.landingOptions, client, forgetLog, onProgress, signal });
    await this.stand();
  }

  /** Makes the replica equal to the primary, whatever it is now. @throws as {@link resync} */
  async resync(source: ResyncSource): Promise<ResyncOutcome> {
    await this.fall();
    this.putBack();
    const database = this.openDatabase();
    const replaceLog = (): void => this.replaceCopy(this.files.resyncLog);
    const outcome = await resync({ ...this.landingOptions, ...source, database, replaceLog });
    // What was read page by page a moment ago need not be read again.
    this.wasRunning = true;
    await this.stand();
    return outcome;
  }

  /** What somebody has deleted, or put something else in the place of; undefined while there is no standing. */
  get missing(): string | undefined {
    if (this.standing === undefined) return undefined;
    const belonging = this.belongings.find(({ isHere }) => !isHere);
    if (belonging !== undefined) return belonging.path;
    if (this.copy?.isHere === false) return this.files.logFolder;
    return existsSync(this.files.pageTable) ? undefined : this.files.pageTable;
  }

  private get belongings(): readonly Belonging[] {
    return [...(this.options.belongings ?? []), this.positionFile];
  }

  /** What is gone of its own files, but the page table: that is made from the database by whoever finds none. */
  private putBack(): void {
    const { report } = this.options;
    putBack(this.belongings, report);
    if (this.copy?.isHere !== false) return;
    report(`${this.files.logFolder} was gone: the log is kept from here on`);
    this.copy.close();
    this.copy = undefined;
  }

  /** Proves that database and position agree, once; from then on chunks can be received and applied. */
  async stand(): Promise<void> {
    if (this.standing !== undefined) return;
    this.putBack();
    const { files, positionFile, options, wasRunning: isRunning } = this;
    const { file } = options;
    const isOther = !isSameFile(stampOf(file), positionFile.position?.stamp ?? stampOf(file));
    try {
      const database = this.openDatabase();
      const copy = this.openCopy();
      this.standing = await Standing.prove({ ...options, database, files, positionFile, copy, isRunning });
      this.wasRunning = true;
    } catch (error) {
      // Another file than the one that was bootstrapped, with other contents: not ours to heal.
      const { code } = asTailraceError(error);
      if (isOther && ["foreign_write", "diverged", "not_a_database", "invalid_request"].includes(code)) {
        await this.letGo();
        throw unrelatedDatabase(file);
      }
      throw error;
    }
  }

  /** Stores a verified chunk. @throws storage_failed; NoRoomError, and nothing was stored */
  receive(chunk: Chunk): void {
    this.options.room.data.take(chunk.bytes.length, "the primary's log");
    this.copy!.append(chunk.from, chunk.bytes, chunk.next);
    this.isBehind = !chunk.isEof;
    failpoint("receive.chunk-written");
  }

  /**
   * Makes what was received durable, as far as it has to be before it is vouched for by asking for more. What the disk
   * takes long for is done on another thread, so that what came before can be applied meanwhile.
   *
   * @throws storage_failed
   */
  async syncReceived(): Promise<void> {
    const { isDurable, nowMs, metrics } = this.options;
    const { copy } = this;
    if (!isDurable || copy === undefined) return;
    const startMs = nowMs();
    if (copy.unsyncedBytes > SYNC_AT_ONCE_BYTES) await copy.syncAhead();
    copy.sync();
    metrics.fsyncSeconds.observe((nowMs() - startMs) / 1000);
  }

  /**
   * Forgets what was received and not applied. What is here of a transaction without its end cannot be applied, and takes
   * the room that its end would need.
   */
  async dropUnapplied(): Promise<void> {
    await this.fall();
    const applied = this.position?.applied.cursor;
    const { copy } = this;
    if (copy === undefined || applied === undefined) return;
    const isWithin = compareCursors(copy.start, applied) <= 0 && compareCursors(applied, copy.end) <= 0;
    if (isWithin) copy.truncate(applied);
  }

  /**
   * Applies one batch of what was received. Gives way to other work about every millisecond, but a small batch is
   * applied without a pause.
   *
   * @returns false when nothing whole is left to apply
   * @throws database_busy (nothing has happened); diverged, foreign_write, damaged, storage_failed: the standing is lost
   */
  async applyNext(): Promise<boolean> {
    const { standing } = this;
    if (standing === undefined) return false;
    try {
      return await standing.applyNext(this.isBehind);
    } catch (error) {
      if (asTailraceError(error).code !== "database_busy" || !standing.isExact) await this.fall();
      throw error;
    }
  }

  /**
   * Gives back to the disk what the SQLite WAL takes of it, as far as readers permit. Only while nothing is being applied.
   *
   * @returns whether there is more room now
   */
  async giveRoom(): Promise<boolean> {
    return (await this.standing?.care.giveRoom()) ?? false;
  }

  /** What is due while nothing comes. @throws foreign_write, unrelated_database; all but "here" is the caller's to act on */
  async tend(): Promise<"here" | "gone" | "bare"> {
    const place = this.database?.standing() ?? "here";
    if (place === "replaced") throw unrelatedDatabase(this.options.file);
    if (place === "here") await this.standing?.care.tend(this.isBehind);
    return place;
  }

  /** Gives up the standing and the database: its file is gone, or this is the end. */
  async letGo(): Promise<void> {
    await this.fall();
    const { database } = this;
    this.database = undefined;
    this.wasRunning = false;
    await database?.close();
  }

  async close(): Promise<void> {
    const { standing, database } = this;
    const isHere = database?.standing() === "here";
    if (standing !== undefined && isHere) await standing.care.finish().catch(() => undefined);
    const position = isHere ? this.leavable() : undefined;
    await this.letGo();
    if (position !== undefined) {
      const stamp = stampAnew(this.options.file, position.stamp);
      if (stamp !== undefined) this.positionFile.write({ ...position, isClean: true, stamp }, true);
    }
    this.copy?.close();
    this.positionFile.close();
  }

  /** The position to leave behind at an orderly close; undefined where it cannot be vouched for. */
  private leavable(): Position | undefined {
    const { standing, database } = this;
    if (standing?.isExact !== true || standing.care.isWalDoubtful) return undefined;
    try {
      // What readers keep from being copied stays in the WAL, and must be there also after a power loss.
      database?.appender.sync();
    } catch {
      return undefined;
    }
    return standing.position;
  }

  /** Gives up the standing: {@link stand} proves it anew. */
  async fall(): Promise<void> {
    const { standing } = this;
    this.standing = undefined;
    await standing?.end();
  }

  private get landingOptions(): Pick<
    BootstrapOptions,
    "file" | "files" | "positionFile" | "bootId" | "room" | "epochSeen"
  > {
    const { files, positionFile, options } = this;
    const { file, bootId, room, seen } = options;
    // Of one history, whether or not the position still knows of it.
    const epochSeen = (logId: string): number =>
      Math.max(...[positionFile.position, seen].map((at) => (at?.logId === logId ? (at.epoch ?? 0) : 0)));
    return { file, files, positionFile, bootId, room, epochSeen };
  }

  private openDatabase(): ReplicaDatabase {
    this.database ??= ReplicaDatabase.open(this.options.file, this.options.driver);
    return this.database;
  }

  private openCopy(): LogCopy {
    const { position } = this.positionFile;
    // A floor is raised only after a sync of the copy has succeeded.
    const known = position && { start: position.applied.cursor, synced: position.floor.cursor };
    this.copy ??= LogCopy.open({ folder: this.files.logFolder, ...known });
    return this.copy;
  }

  /** Whatever state the copy is in, this log takes its place, or none. */
  private replaceCopy(log?: string): void {
    const { logFolder, dataDir } = this.files;
    this.copy?.close();
    this.copy = undefined;
    rmSync(logFolder, { recursive: true, force: true });
    if (log !== undefined) renameSync(log, logFolder);
    syncFolder(dataDir);
  }
}
