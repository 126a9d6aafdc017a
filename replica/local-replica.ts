import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { TailraceError, asTailraceError } from "../shared/errors.ts";
import { failpoint } from "../shared/failpoint.ts";
import { NO_MARK } from "../shared/format/position.ts";
import type { Position } from "../shared/format/position.ts";
import { LogCopy } from "../shared/log/log-copy.ts";
import { segmentPath } from "../shared/log/segment-files.ts";
import type { DatabaseView } from "../shared/pages/database-view.ts";
import type { PageTable } from "../shared/pages/page-table.ts";
import { compareCursors } from "../shared/format/cursor.ts";
import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Work } from "../shared/plan/follow-state.ts";
import type { CheckpointOutcome } from "../shared/serve/engine.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { syncFolder } from "../shared/storage/atomic-file.ts";
import { NoRoomError } from "../shared/storage/disk-room.ts";
import type { ReplicaRoom } from "../shared/storage/disk-room.ts";
import type { Cursor, PageNumber } from "../shared/units.ts";
import type { Applier } from "./applier.ts";
import { BatchReader } from "./batch.ts";
import type { Batch } from "./batch.ts";
import { downloadSnapshot, finishPublishing, publishImage, unrelatedDatabase } from "./bootstrap.ts";
import { PositionFile, isSameFile, stampOf } from "./position-file.ts";
import { isUndisturbed } from "./left-mark.ts";
import type { Chunk } from "./receiver.ts";
import { recover } from "./recovery.ts";
import { ReplicaDatabase } from "./replica-database.ts";
import { replicaFiles } from "./replica-files.ts";
import type { ReplicaFiles } from "./replica-files.ts";
import { landed, resync } from "./resync.ts";
import type { ResyncOutcome, ResyncSource } from "./resync.ts";
import type { SnapshotClient } from "./snapshot-client.ts";
import { WalCare } from "./wal-care.ts";
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

/** What a running replica has open or in memory, and would miss only at its next start if somebody deleted it. */
export interface Belonging {
  readonly path: string;
  readonly isHere: boolean;
  /** Writes it anew, durably. @throws data_folder_in_use, read_only, storage_failed */
  putBack(): void;
}

/** What exists only while the database is proven to be at its position. */
interface Standing {
  readonly applier: Applier;
  readonly table: PageTable;
  readonly batches: BatchReader;
  readonly care: WalCare;
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
  /** Gathered, and to be tried again: another writer had the lock. */
  private pending: Batch | undefined;
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
      return { replica, work: replica.firstWork() };
    } catch (error) {
      replica.positionFile.close();
      throw error;
    }
  }

  /** Where the replica is; undefined before the first bootstrap, and while a resync lands: it is one of two states then. */
  get position(): Position | undefined {
    const { position } = this.standing?.applier ?? this.positionFile;
    return position?.phase === "resyncing" ? undefined : position;
  }

  /** Whether no database stands at the path: nothing can be proven or compared then, only fetched. */
  get isGone(): boolean {
    return (statSync(this.options.file, { throwIfNoEntry: false })?.size ?? 0) === 0;
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
    const end = this.received;
    const applied = this.standing?.applier.position.applied.cursor;
    if (end === undefined || applied === undefined) return 0;
    let bytes = end.offset - applied.offset;
    for (let { segment } = applied; segment < end.segment; segment++)
      bytes += statSync(segmentPath(this.files.logFolder, segment), { throwIfNoEntry: false })?.size ?? 0;
    return Math.max(0, bytes);
  }

  /** The log copy is needed from here on by this replica itself; undefined while that is not known. */
  get recovery(): Cursor | undefined {
    return this.standing?.care.recovery;
  }

  /** Of the page table, for a page as it is applied; while there is a standing. */
  hashOf(page: PageNumber): bigint {
    return this.standing?.table.get(page) ?? 0n;
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
    const { database, standing } = this;
    if (database !== undefined && standing?.applier.isExact === true) {
      const { position } = standing.applier;
      const view = database.view();
      if (isUndisturbed(view.header, position.left)) return { view, position };
      view.close();
    }
    throw new TailraceError("not_ready", "the replica's database is not at a known state now", {
      retryable: true,
    });
  }

  /** Forgets the segments of the log copy before the given one, but for what the replica itself needs. @throws storage_failed */
  dropLogBefore(segment: number): void {
    const { recovery } = this;
    if (recovery !== undefined) this.copy?.dropBefore(Math.min(segment, recovery.segment));
  }

  /** Copies the SQLite WAL into the database file as far as readers permit. @throws not_ready, storage_failed */
  async checkpoint(): Promise<CheckpointOutcome> {
    const { standing } = this;
    if (standing !== undefined) return await standing.care.finish();
    throw new TailraceError("not_ready", "the replica's database is not at a known state now", {
      retryable: true,
    });
  }

  /**
   * Downloads and publishes the primary's snapshot. A try that has failed after that goes on from there: what stands at the
   * path is this replica's own by then.
   *
   * @throws as {@link downloadSnapshot} and {@link publishImage}
   */
  async bootstrap(
    client: SnapshotClient,
    onProgress: (doneBytes: number, totalBytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.letGo();
    this.putBack();
    if (this.isPublished) finishPublishing(this.options.file, this.files);
    else await this.fetchImage(client, onProgress, signal);
    await this.stand();
  }

  private async fetchImage(
    client: SnapshotClient,
    onProgress: (doneBytes: number, totalBytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { file, bootId, room } = this.options;
    const { bootstrapPart } = this.files;
    const epochSeen = (logId: string): number => this.epochSeen(logId);
    const head = await downloadSnapshot({ client, files: this.files, room, epochSeen, onProgress, signal });
    // The log of what was here before must never be met by the new position, whatever happens from here on.
    this.copy?.close();
    this.copy = undefined;
    rmSync(this.files.logFolder, { recursive: true, force: true });
    syncFolder(this.files.dataDir);
    // Written down first: whoever finds the file later knows by its inode that it is ours.
    this.positionFile.write({ ...landed(head, NO_MARK, bootstrapPart, bootId), phase: "published" }, true);
    publishImage(file, this.files);
    this.positionFile.write({ ...landed(head, NO_MARK, file, bootId), isStamped: true }, true);
  }

  private get isPublished(): boolean {
    const { position } = this.positionFile;
    if (this.isGone || position === undefined) return false;
    return isSameFile(stampOf(this.options.file), position.stamp);
  }

  /** Makes the replica equal to the primary, whatever it is now. @throws as {@link resync} */
  async resync(source: ResyncSource): Promise<ResyncOutcome> {
    await this.fall();
    this.putBack();
    const { files, positionFile } = this;
    const { bootId, room } = this.options;
    const database = this.openDatabase();
    const replaceLog = (): void => this.replaceCopy();
    const epochSeen = (logId: string): number => this.epochSeen(logId);
    const outcome = await resync({
      ...source,
      database,
      files,
      positionFile,
      replaceLog,
      bootId,
      room,
      epochSeen,
    });
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

  /** What is known by heart is written anew. The page table is made from the database by whoever finds none. */
  private putBack(): void {
    const { report } = this.options;
    for (const belonging of this.belongings) {
      if (belonging.isHere) continue;
      belonging.putBack();
      report(`${belonging.path} was gone: it is written anew`);
    }
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
    const { report, nowMs, metrics, file, bootId } = options;
    const isOther = !isSameFile(stampOf(file), this.positionFile.position?.stamp ?? stampOf(file));
    try {
      const database = this.openDatabase();
      const copy = this.openCopy();
      const { applier, table } = await recover({
        database,
        files,
        positionFile,
        copy,
        isRunning,
        bootId,
        report,
      });
      this.wasRunning = true;
      const { applied, epoch, logId, pageSizeBytes } = applier.position;
      if (!leadsOn(copy, applier.position)) {
        // No log leads to the applied state again: it has to outlive a loss of power without.
        database.appender.sync();
        applier.note({ floor: applied }, true);
        copy.reset(applied.cursor);
      }
      const batches = new BatchReader({
        folder: files.logFolder,
        pageSizeBytes,
        logId,
        start: applied,
        epoch,
        end: () => copy.end,
      });
      const care = new WalCare({ database, applier, table, copy, nowMs, metrics });
      this.standing = { applier, table, batches, care };
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
    // Also of what is due while nothing comes: then something may come.
    const { holdingCommits } = standing.care;
    if (holdingCommits !== undefined) await holdingCommits;
    if (this.standing !== standing) return false;
    const { nowMs, metrics } = this.options;
    try {
      const batch = this.pending ?? standing.batches.next();
      this.pending = batch;
      if (batch === undefined) return false;
      await this.takeRoom(batch);
      const startMs = nowMs();
      for (const _ of standing.applier.apply(batch)) await turn();
      this.pending = undefined;
      metrics.applied(batch.to.txid - batch.from.txid, (nowMs() - startMs) / 1000);
      standing.care.committed();
      this.options.onApplied(standing.applier.position);
      await standing.care.tend(this.isBehind);
      return true;
    } catch (error) {
      if (asTailraceError(error).code !== "database_busy" || !standing.applier.isExact) await this.fall();
      throw error;
    }
  }

  /** @throws NoRoomError, when what the SQLite WAL could give back was not enough */
  private async takeRoom(batch: Batch): Promise<void> {
    const take = (): void =>
      this.options.room.database.take(this.writtenBytes(batch), `transaction ${batch.to.txid}`);
    try {
      take();
    } catch (error) {
      if (!(error instanceof NoRoomError) || !(await this.giveRoom())) throw error;
      take();
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

  /** By which a batch lengthens the SQLite WAL, and later the database. */
  private writtenBytes({ pages, from, to }: Batch): number {
    const { pageSizeBytes } = this.standing!.applier.position;
    const images = pages === undefined ? this.backlogBytes : pages.size * pageSizeBytes;
    return images + Math.max(0, to.pageCount - from.pageCount) * pageSizeBytes;
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
      this.positionFile.write({ ...position, isClean: true, stamp: stampOf(this.options.file) }, true);
    }
    this.copy?.close();
    this.positionFile.close();
  }

  /** The position to leave behind at an orderly close; undefined where it cannot be vouched for. */
  private leavable(): Position | undefined {
    const { standing, database } = this;
    if (standing?.applier.isExact !== true) return undefined;
    try {
      // What readers keep from being copied stays in the WAL, and must be there also after a power loss.
      database?.appender.sync();
    } catch {
      return undefined;
    }
    return standing.applier.position;
  }

  /** Gives up the standing: {@link stand} proves it anew. */
  async fall(): Promise<void> {
    const { standing } = this;
    this.standing = undefined;
    this.pending = undefined;
    await standing?.care.end();
    standing?.batches.close();
    standing?.table.close();
  }

  /** The newest of a history, whether or not the position still knows of it; 0 where none was seen. */
  private epochSeen(logId: string): number {
    const known = [this.positionFile.position, this.options.seen];
    return Math.max(...known.map((seen) => (seen?.logId === logId ? (seen.epoch ?? 0) : 0)));
  }

  private firstWork(): Work {
    const { file, report } = this.options;
    const { position } = this.positionFile;
    if (!this.isGone) return position === undefined || position.phase === "resyncing" ? "resync" : "receive";
    if (position?.phase === "published" && this.canPublish(position)) {
      publishImage(file, this.files);
      return "receive";
    }
    if (position !== undefined) report(`${file} is gone: it is fetched again`);
    return "bootstrap";
  }

  private canPublish({ stamp }: Position): boolean {
    const { bootstrapPart } = this.files;
    return existsSync(bootstrapPart) && isSameFile(stampOf(bootstrapPart), stamp);
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

  /** The log that a resync has fetched takes the place of the copy, whatever state that was in. */
  private replaceCopy(): void {
    const { logFolder, resyncLog, dataDir } = this.files;
    this.copy?.close();
    this.copy = undefined;
    rmSync(logFolder, { recursive: true, force: true });
    renameSync(resyncLog, logFolder);
    syncFolder(dataDir);
  }
}

/**
 * Whether the copy has whole what leads from the floor to the applied state. It then ends with the last whole fragment: what is
 * behind may be torn after a crash, and is fetched again.
 */
function leadsOn(copy: LogCopy, { floor, applied }: Position): boolean {
  const isWithin =
    compareCursors(copy.start, floor.cursor) <= 0 && compareCursors(applied.cursor, copy.end) <= 0;
  const end = isWithin ? copy.lastWholeFragment(floor.cursor) : copy.start;
  if (!isWithin || compareCursors(end, applied.cursor) < 0) return false;
  copy.truncate(end);
  return true;
}

/** A position file that could not be read is kept under this name: it proves that the database is a replica. */
const DAMAGED = ".damaged";

/** A database where this replica has never been is somebody's, and is not touched. @throws unrelated_database */
export function assertOwn(file: string, { position }: ReplicaFiles): void {
  if (existsSync(position) && statSync(position).size > 0) return;
  if (existsSync(position + DAMAGED)) return;
  if (existsSync(file) && statSync(file).size > 0) throw unrelatedDatabase(file);
}

function openPosition({ position }: ReplicaFiles, report: (message: string) => void): PositionFile {
  try {
    return PositionFile.open(position);
  } catch (error) {
    if (!(error instanceof TailraceError) || error.code !== "damaged") throw error;
    report(`${error.message}: its pages are compared with the primary's`);
    renameSync(position, position + DAMAGED);
    return PositionFile.open(position);
  }
}

/** A primary of an epoch before one that was seen is refused, also when the position has forgotten that epoch. */
function remember({ logId, epoch = 0 }: LocalReplicaOptions["seen"], positionFile: PositionFile): void {
  const { position } = positionFile;
  if (position === undefined || position.logId !== logId || position.epoch >= epoch) return;
  positionFile.write({ ...position, epoch }, true);
}
