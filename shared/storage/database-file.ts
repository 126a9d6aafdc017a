import { accessSync, constants, fstatSync, statSync } from "node:fs";
import type { Stats } from "node:fs";
import { dirname, resolve } from "node:path";
import { TailraceError } from "../errors.ts";
import { isPageSize } from "../format/record.ts";
import { holdFile, identityOf } from "../sqlite/held-files.ts";
import { readAt } from "./positioned-io.ts";
import { causeText, onStorage, storageError } from "./storage-error.ts";
import { systemCode } from "../system-error.ts";

/*
 * The first 100 bytes of a database (https://www.sqlite.org/fileformat2.html#the_database_header), big-endian:
 *
 *     0  16  "SQLite format 3", 0
 *    16   2  page size (1 = 65536)
 *    18   2  file format write and read version: 1 rollback journal, 2 WAL
 *    21   3  always 64, 32, 32
 */
const DATABASE_HEADER_BYTES = 100;
const MAGIC = "SQLite format 3\0";

/** What can be told of a database before SQLite opens it. */
export type DatabaseFile =
  | { readonly kind: "missing" }
  /** 0 bytes: SQLite takes it for a new database. */
  | { readonly kind: "empty"; readonly identity: string }
  | {
      readonly kind: "database";
      /** Device and inode. */
      readonly identity: string;
      readonly pageSizeBytes: number;
      readonly isWal: boolean;
    };

/** Whether there is no file, or an empty one, which becomes a database with its first page. @throws the system's errors */
export function isAbsent(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0;
}

/**
 * Looks at the file that is to be opened, and changes nothing. Safe beside open connections: the descriptor that it
 * reads through is held for good ({@link holdFile}).
 *
 * @throws folder_missing, read_only, not_a_database, storage_failed
 */
export function inspectDatabaseFile(path: string): DatabaseFile {
  const folder = dirname(resolve(path));
  assertFolder(folder);
  // SQLite makes its -wal and -shm beside the database.
  assertWritable(folder, `the folder ${folder}`);
  const stats = statOrMissing(path);
  if (stats === undefined) return { kind: "missing" };
  if (!stats.isFile()) throw notADatabase(path, stats.isDirectory() ? "a folder" : "not a regular file");
  assertWritable(path, `the database ${path}`);
  const descriptor = onStorage("open", path, () => holdFile(path));
  const identity = identityOf(path);
  const size = onStorage("read", path, () => fstatSync(descriptor).size);
  if (size === 0) return { kind: "empty", identity };
  return { kind: "database", identity, ...readHeader(path, descriptor) };
}

function readHeader(path: string, descriptor: number): { pageSizeBytes: number; isWal: boolean } {
  const bytes = Buffer.alloc(DATABASE_HEADER_BYTES);
  const size = onStorage("read", path, () => readAt(descriptor, bytes, 0));
  if (size < DATABASE_HEADER_BYTES) throw notADatabase(path, `${size} bytes long`);
  if (bytes.toString("latin1", 0, 16) !== MAGIC) throw notADatabase(path, "without SQLite's first 16 bytes");
  const pageSizeBytes = bytes.readUInt16BE(16) === 1 ? 65536 : bytes.readUInt16BE(16);
  const fractions = [bytes[21], bytes[22], bytes[23]].join();
  if (!isPageSize(pageSizeBytes) || fractions !== "64,32,32") {
    throw notADatabase(path, "with a header that makes no sense");
  }
  return { pageSizeBytes, isWal: bytes[18] === 2 && bytes[19] === 2 };
}

function assertFolder(folder: string): void {
  if (statOrMissing(folder)?.isDirectory() === true) return;
  throw new TailraceError("folder_missing", `the folder ${folder} does not exist`, {
    hint: "Create it, or give another path.",
  });
}

function assertWritable(path: string, what: string): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new TailraceError("read_only", `${what} cannot be written: ${causeText(cause)}`, {
      cause,
      hint: "Give this user read and write access: SQLite's WAL needs both, in the file's folder too.",
    });
  }
}

function statOrMissing(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw storageError("examine", path, cause);
  }
}

function notADatabase(path: string, why: string): TailraceError {
  return new TailraceError("not_a_database", `${path} is no SQLite database: it is ${why}`, {
    hint: "An encrypted database looks the same; Tailrace needs a plain one.",
  });
}
