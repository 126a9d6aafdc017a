import * as fs from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { SimulatedProcess } from "../core/process.ts";
import type { Disk } from "./disk.ts";
import type { DiskFile } from "./disk-file.ts";
import { midway } from "./midway.ts";
import type { DatabaseBytes } from "./midway.ts";
import { SqliteWrites } from "./sqlite-writes.ts";
import type { Part } from "./sqlite-writes.ts";
import { readWalState } from "./wal-state.ts";
import type { WalState } from "./wal-state.ts";

/** What SQLite keeps beside a database. */
const COMPANIONS = ["-wal", "-shm", "-journal"] as const;
const SET_ASIDE = ".simulated-kill";
const WAL_HEADER: Part = { from: 0, to: 32 };
/** In a wal-index: how many frames are in the database file. */
const COPIED_AT = 96;

/** `PRAGMA synchronous`. */
export const SYNCHRONOUS_OFF = 0;
export const SYNCHRONOUS_FULL = 2;

/** What stood before a call that may write. */
export interface Before {
  readonly state: WalState | undefined;
  readonly walMark: number;
}

/** Whoever reads a database on this disk without being simulated: by a real connection to the real file. */
interface Outsider {
  readonly file: string;
  readonly isOpen: boolean;
}

/** A connection of SQLite's, and the process that holds it. */
export interface OpenConnection {
  readonly process: SimulatedProcess;
  readonly path: string;
  /** The file that stood at the path when it was opened. */
  readonly file: DiskFile;
  readonly database: DatabaseSync;
  /** `PRAGMA synchronous`, as it was set last. */
  synchronous: number;
  /** SQLite syncs the folder along with its first sync of a WAL. */
  hasSyncedFolder: boolean;
}

/**
 * SQLite's connections to the files of one disk. SQLite writes to real files itself; here it is found out what it has
 * written and what it has synced, and a process that dies takes its connections along without what closing them does.
 *
 * What is synced, as SQLite 3.53's pager.c and wal.c have it:
 *
 * - a commit with synchronous FULL: the WAL; any but OFF: the header of a WAL that begins anew, before its first frame
 * - a checkpoint, unless OFF: the WAL before it copies, and the database if it has copied all. Emptying the WAL is not synced
 * - with the first sync of a WAL by a connection: the folder
 * - without WAL: the database at each commit, unless OFF
 */
export class Connections {
  /** They share a wal-index with those who are simulated. */
  readonly outsiders: Outsider[] = [];
  private readonly disk: Disk;
  private readonly writes = new SqliteWrites();
  private open = new Set<OpenConnection>();

  constructor(disk: Disk) {
    this.disk = disk;
  }

  /** To be called when SQLite has opened it, which may have created the file. */
  add(connection: Omit<OpenConnection, "file">, nowMs: number): OpenConnection {
    this.recordNames(connection.path, nowMs);
    const file = this.disk.findFile(connection.path)!;
    const added = { ...connection, file };
    this.open.add(added);
    this.mirror(connection.path);
    return added;
  }

  /** Whether closing any descriptor of the file takes locks of SQLite's from the process: POSIX drops them all. */
  holdsLocks(process: SimulatedProcess, file: DiskFile): boolean {
    const ofProcess = [...this.open].filter((connection) => connection.process === process);
    return ofProcess.some(
      (connection) => connection.file === file || this.disk.findFile(`${connection.path}-shm`) === file,
    );
  }

  /** Closes it, as a process does that goes on. */
  close(connection: OpenConnection, nowMs: number): void {
    const before = this.before(connection, nowMs);
    connection.database.close();
    this.open.delete(connection);
    this.recordCommit(connection, before, nowMs);
  }

  /** To be called before whatever may write, for {@link recordCommit} or {@link recordCheckpoint}. */
  before(connection: OpenConnection, nowMs: number): Before {
    const state = readWalState(connection.path);
    this.recordWal(connection.path, state, nowMs);
    return { state, walMark: this.walOf(connection)?.mark ?? 0 };
  }

  /** SQLite has created or removed what stands beside the database. */
  recordNames(path: string, nowMs: number): void {
    const { disk } = this;
    for (const name of [path, ...COMPANIONS.map((suffix) => path + suffix)]) {
      const isThere = fs.existsSync(name);
      if (isThere === disk.isKnown(name)) continue;
      if (isThere) disk.created(name, nowMs);
      else disk.removed(name, nowMs);
      if (isThere && !name.endsWith("-shm")) disk.findFile(name)!.mirrorFrom(new Uint8Array(0));
    }
  }

  /** After a call that has ended a transaction, or none was in: a commit, a change of mode, a last close. */
  recordCommit(connection: OpenConnection, before: Before, nowMs: number): void {
    const { path, synchronous, file } = connection;
    this.recordNames(path, nowMs);
    if (this.disk.findFile(path) !== file) return;
    const isSynced = synchronous !== SYNCHRONOUS_OFF;
    const after = readWalState(path);
    const wal = this.walOf(connection);
    const isRestarted = this.record(`${path}-wal`, nowMs, () => WAL_HEADER);
    if (isRestarted && isSynced) this.syncWal(connection, wal);
    const hasFrames = this.recordWal(path, after, nowMs);
    const hasPages = this.recordDatabase(path, after, nowMs);
    if ((hasFrames && synchronous >= SYNCHRONOUS_FULL) || (hasPages && isSynced))
      this.syncWal(connection, wal);
    if (isSynced && hasEnded(before.state, after, hasPages)) this.syncDatabase(connection);
  }

  /** After a checkpoint by itself. It may have emptied the WAL. */
  recordCheckpoint(connection: OpenConnection, before: Before, nowMs: number): void {
    const { path, synchronous, file } = connection;
    this.recordNames(path, nowMs);
    if (this.disk.findFile(path) !== file) return;
    const isSynced = synchronous !== SYNCHRONOUS_OFF;
    const after = readWalState(path);
    this.recordWal(path, after, nowMs);
    const hasPages = this.recordDatabase(path, after, nowMs);
    const isEnd = hasEnded(before.state, after, hasPages);
    const hasProgressed = hasPages || isEnd || before.state?.copiedFrames !== after?.copiedFrames;
    if (isSynced && hasProgressed) this.syncWal(connection, this.walOf(connection), before.walMark);
    if (isSynced && isEnd) this.syncDatabase(connection);
  }

  /**
   * The process dies within a call that writes, which leaves a part of it. Where others have the database open, the call
   * must not have begun a new WAL: what they share would have to be in between, too. For them a commit has not been, unless
   * pages of it are in the database file: those are copied by a checkpoint after it, which has not come to its end.
   *
   * @param kill ends the process
   */
  dieWithin(connection: OpenConnection, work: () => void, kill: () => void, nowMs: number): void {
    const { path, file } = connection;
    const before = readAll(path);
    const { state } = this.before(connection, nowMs);
    work();
    const after = readAll(path);
    const isShared =
      [...this.open].some((other) => other.file === file && other.process !== connection.process) ||
      this.outsiders.some((other) => other.file === path && other.isOpen);
    const isWhole = state === undefined || (isShared && readWalState(path)?.salts !== state?.salts);
    if (isWhole) this.recordCommit(connection, { state, walMark: 0 }, nowMs);
    this.recordNames(path, nowMs);
    kill();
    if (isWhole) return;
    const left = midway(before, after, this.disk.random);
    fs.writeFileSync(path, left.database);
    fs.writeFileSync(`${path}-wal`, left.wal);
    const hasPages = !left.database.equals(before.database);
    if (isShared) writeIndex(`${path}-shm`, hasPages ? withCopied(after.index, before.index) : before.index);
    this.recordWal(path, undefined, nowMs);
    if (this.recordDatabase(path, undefined, nowMs)) this.walOf(connection)?.sync();
  }

  /** A database or its WAL, as it is now. */
  recordFile(path: string, nowMs: number): void {
    const database = path.endsWith("-wal") ? path.slice(0, -"-wal".length) : path;
    const state = readWalState(database);
    if (database === path) this.recordDatabase(path, state, nowMs);
    else this.recordWal(database, state, nowMs);
  }

  /** Before the power is lost. */
  recordAll(): void {
    for (const { path } of this.open) {
      this.recordFile(path, 0);
      this.recordFile(`${path}-wal`, 0);
    }
  }

  /**
   * The process is dead. Its connections end as the kernel ends them: locks are free, files are as they were. Closing
   * the last connection of a database would copy and remove its WAL, so that is done where it does no harm.
   */
  drop(process: SimulatedProcess): void {
    const dropped = [...this.open].filter((connection) => connection.process === process);
    for (const connection of dropped) this.open.delete(connection);
    for (const file of new Set(dropped.map((connection) => connection.file))) {
      const ofFile = dropped.filter((connection) => connection.file === file);
      const close = (): void => ofFile.forEach(({ database }) => database.close());
      if ([...this.open].some((other) => other.file === file)) close();
      else this.closeUnnoticed(ofFile[0]!.path, close);
    }
  }

  private closeUnnoticed(path: string, close: () => void): void {
    const companions = COMPANIONS.map((suffix) => path + suffix).filter((name) => fs.existsSync(name));
    const bytes = fs.existsSync(path) ? fs.readFileSync(path) : undefined;
    for (const name of companions) fs.renameSync(name, name + SET_ASIDE);
    close();
    if (bytes !== undefined && !fs.readFileSync(path).equals(bytes)) fs.writeFileSync(path, bytes);
    for (const name of companions) fs.renameSync(name + SET_ASIDE, name);
  }

  /** @returns whether something was written */
  private recordDatabase(path: string, state: WalState | undefined, nowMs: number): boolean {
    return this.record(path, nowMs, (file, descriptor) => this.writes.inDatabase(file, descriptor, state));
  }

  /** What was written in a transaction that goes on, or was rolled back, as well. @returns whether something was */
  private recordWal(path: string, state: WalState | undefined, nowMs: number): boolean {
    return this.record(`${path}-wal`, nowMs, (file, descriptor) =>
      this.writes.inWal(file, descriptor, state),
    );
  }

  private record(path: string, nowMs: number, where: (file: DiskFile, descriptor: number) => Part): boolean {
    const file = this.disk.findFile(path);
    if (file?.isMirrored !== true) return false;
    const descriptor = fs.openSync(path, "r");
    try {
      const hasChanged = file.record(descriptor, where(file, descriptor));
      if (hasChanged) this.disk.touched(file, path, nowMs);
      return hasChanged;
    } finally {
      fs.closeSync(descriptor);
    }
  }

  private walOf({ path }: OpenConnection): DiskFile | undefined {
    return this.disk.findFile(`${path}-wal`);
  }

  private syncWal(connection: OpenConnection, wal: DiskFile | undefined, mark?: number): void {
    wal?.sync(mark);
    if (!connection.hasSyncedFolder) this.disk.syncFolder(dirname(connection.path));
    connection.hasSyncedFolder = true;
  }

  /** Without a WAL the folder goes with it, for the sake of the journal. */
  private syncDatabase({ file, path }: OpenConnection): void {
    file.sync();
    if (readWalState(path) === undefined) this.disk.syncFolder(dirname(path));
  }

  private mirror(path: string): void {
    for (const name of [path, `${path}-wal`]) {
      const file = this.disk.findFile(name);
      if (file?.isMirrored === false) file.mirrorFrom(fs.readFileSync(name));
    }
  }
}

function readAll(path: string): DatabaseBytes & { readonly index: Buffer } {
  return { database: readAny(path), wal: readAny(`${path}-wal`), index: readAny(`${path}-shm`) };
}

/** Nothing, where there is no file. */
function readAny(path: string): Buffer {
  return fs.existsSync(path) ? fs.readFileSync(path) : Buffer.alloc(0);
}

/** Whether the database was synced: after a commit without WAL; when a checkpoint has come to the end of the WAL. */
function hasEnded(before: WalState | undefined, after: WalState | undefined, hasPages: boolean): boolean {
  if (after === undefined) return before !== undefined || hasPages;
  // The change to WAL is a commit without one.
  if (before === undefined) return hasPages;
  if (after.copiedFrames < after.frames) return false;
  const wasCopied = before.copiedFrames >= before.frames;
  return !wasCopied || before.salts !== after.salts || before.frames !== after.frames;
}

/** The one wal-index, in which so many frames count as copied as in the other. */
function withCopied(index: Buffer, other: Buffer): Buffer {
  const changed = Buffer.from(index);
  other.copy(changed, COPIED_AT, COPIED_AT, COPIED_AT + 4);
  return changed;
}

/** In place, and never shorter: others have it mapped. */
function writeIndex(path: string, bytes: Uint8Array): void {
  const descriptor = fs.openSync(path, "r+");
  fs.writeSync(descriptor, bytes, 0, bytes.length, 0);
  fs.closeSync(descriptor);
}
