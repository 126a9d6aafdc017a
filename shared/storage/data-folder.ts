import { mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { TailraceError } from "../errors.ts";
import { SQLITE_CANTOPEN, SQLITE_READONLY, isBusy } from "../sqlite/driver.ts";
import type { Connection, Driver } from "../sqlite/driver.ts";
import { syncFolder } from "./atomic-file.ts";
import { assertSupportedFileSystem } from "./file-system.ts";
import { storageError } from "./storage-error.ts";
import { systemCode } from "../system-error.ts";

interface Lock {
  readonly connection: Connection;
  /** Of the file that is locked. */
  readonly inode: number | undefined;
}

const SUFFIX = "-tailrace";

/** Data folders that this thread holds. Keeps their connections from the garbage collector, which would unlock them. */
const held = new Map<string, Lock>();

/**
 * The folder beside a database in which a node keeps all that is its own. One process at a time holds it; the kernel
 * lets go of it when that process dies, however it dies.
 */
export class DataFolder {
  readonly path: string;
  private readonly driver: Driver;

  private constructor(path: string, driver: Driver) {
    this.path = path;
    this.driver = driver;
  }

  /** The default data folder of a database. */
  static pathFor(databaseFile: string): string {
    return databaseFile + SUFFIX;
  }

  /** The database of which that is the default data folder; undefined where it is no such name. */
  static databaseOf(folder: string): string | undefined {
    return folder.endsWith(SUFFIX) ? folder.slice(0, -SUFFIX.length) : undefined;
  }

  /**
   * Takes hold of the folder; makes it where it does not exist, but not the folder around it.
   *
   * @throws data_folder_in_use, folder_missing, unsupported_file_system, read_only, damaged (lock.db), storage_failed
   */
  static open(path: string, driver: Driver): DataFolder {
    const folder = resolve(path);
    makeFolder(folder);
    assertSupportedFileSystem(folder);
    held.set(folder, lock(folder, driver));
    return new DataFolder(folder, driver);
  }

  /** Whether the path still leads to the folder that is held. */
  get isHere(): boolean {
    return inodeOf(this.path) === held.get(this.path)?.inode;
  }

  /**
   * Takes hold of the folder again, made anew where somebody has deleted it.
   *
   * @throws as {@link open}: another process may have been faster
   */
  putBack(): void {
    makeFolder(this.path);
    this.close();
    held.set(this.path, lock(this.path, this.driver));
  }

  /** logId, epoch, identity: {@link ./meta-file.ts}. */
  get metaFile(): string {
    return join(this.path, "meta.json");
  }

  get logFolder(): string {
    return join(this.path, "log");
  }

  get snapshotsFolder(): string {
    return join(this.path, "snapshots");
  }

  get pageTableFile(): string {
    return join(this.path, "pages.sum");
  }

  /** What is known of the replicas that ask this node. */
  get replicasFile(): string {
    return join(this.path, "replicas.json");
  }

  /** Of a replica: what is applied. */
  get positionFile(): string {
    return join(this.path, "position");
  }

  /** Of a replica: the snapshot that is being fetched. */
  get bootstrapFile(): string {
    return join(this.path, "bootstrap.part");
  }

  /** Lets go of the folder. */
  close(): void {
    held.get(this.path)?.connection.close();
    held.delete(this.path);
  }
}

const LOCK_FILE = "lock.db";

function inodeOf(folder: string): number | undefined {
  return statSync(join(folder, LOCK_FILE), { throwIfNoEntry: false })?.ino;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder);
    syncFolder(dirname(folder));
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "EEXIST" && statSync(folder).isDirectory()) return;
    if (code === "ENOENT") {
      throw new TailraceError("folder_missing", `the folder ${dirname(folder)} does not exist`, {
        cause,
        hint: "Create it, or give another path.",
      });
    }
    const error = storageError("create", folder, cause);
    throw code === "EACCES" || code === "EROFS" || code === "EPERM" ? readOnly(folder, error) : error;
  }
}

/** Holds an SQLite file's exclusive lock: SQLite knows how to lock soundly within one process as well as between many. */
function lock(folder: string, driver: Driver): Lock {
  const file = join(folder, LOCK_FILE);
  if (held.has(folder)) throw inUse(folder);
  assertLockFile(file);
  let connection: Connection | undefined;
  try {
    connection = driver.open(file);
    connection.exec("BEGIN EXCLUSIVE");
    return { connection, inode: inodeOf(folder) };
  } catch (cause) {
    connection?.close();
    if (isBusy(driver, cause)) throw inUse(folder, cause);
    const code = driver.resultCode(cause);
    const error = storageError("lock", file, cause);
    throw code === SQLITE_CANTOPEN || code === SQLITE_READONLY ? readOnly(folder, error) : error;
  }
}

/**
 * What is locked is an empty file. A database in WAL mode in its place would be locked against writers alone, and SQLite
 * would do to others whatever a journal beside them says.
 *
 * @throws damaged
 */
export function assertLockFile(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined || stats.size === 0) return;
  throw new TailraceError("damaged", `${file} is not the empty file that Tailrace locks`, {
    hint: "While no node uses this folder, remove it; the next start makes it anew.",
  });
}

function readOnly(folder: string, cause: TailraceError): TailraceError {
  return new TailraceError("read_only", `the data folder ${folder} cannot be written`, {
    cause,
    hint: "Give this user write access to it, or choose another with --data-dir.",
  });
}

function inUse(folder: string, cause?: unknown): TailraceError {
  return new TailraceError("data_folder_in_use", `${folder} is in use by another Tailrace node`, {
    cause,
    hint: "Stop the other one, or give this one a data folder of its own with --data-dir.",
  });
}
