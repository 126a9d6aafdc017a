import { isBusy } from "../shared/sqlite/driver.ts";
import type { Connection, Driver } from "../shared/sqlite/driver.ts";
import { TailraceError } from "../shared/errors.ts";
import { holdFile, identityOf } from "../shared/sqlite/held-files.ts";
import type { WalMark } from "../shared/format/record.ts";
import { WalFrames } from "../shared/pages/wal-frames.ts";
import { isAbsent } from "../shared/storage/database-file.ts";
import { readAtOrZeros } from "../shared/storage/positioned-io.ts";
import { onStorage } from "../shared/storage/storage-error.ts";
import type { PageNumber } from "../shared/units.ts";
import { WalIndexFile } from "../shared/sqlite/wal-index-file.ts";

const SWITCH_TRIES = 100;
const SWITCH_PAUSE_MS = 100;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * The application's database, with what the capture needs of it: descriptors that are never closed while it is there,
 * and a connection that stays open, so that `-wal` and `-shm` do not vanish under us when the application closes.
 */
export interface AttachedDatabase {
  readonly driver: Driver;
  readonly file: string;
  readonly walFile: string;
  /** Device and inode. */
  readonly identity: string;
  readonly pageSizeBytes: number;
  readonly databaseDescriptor: number;
  readonly index: WalIndexFile;
  readonly connection: Connection;
  /** What attaching made of it, for people; undefined where it was in WAL mode already. */
  readonly change: "was created, in WAL mode" | "was switched to WAL mode" | undefined;
}

/**
 * Opens the database, creating it where there is none, and sees to it that it is in WAL mode.
 *
 * @throws database_busy when other connections keep it from being switched to WAL for 10 s; the driver's own errors
 */
export function attachDatabase(driver: Driver, file: string): AttachedDatabase {
  const isNew = isAbsent(file);
  const connection = driver.open(file);
  try {
    connection.exec("PRAGMA wal_autocheckpoint=0");
    const wasSwitched = switchToWal(connection, driver, file);
    // A read makes SQLite create the -wal and the -shm, and recover them.
    connection.row("PRAGMA schema_version");
    return {
      driver,
      file,
      walFile: `${file}-wal`,
      identity: identityOf(file),
      pageSizeBytes: Number(connection.row("PRAGMA page_size")?.[0]),
      databaseDescriptor: holdFile(file),
      index: new WalIndexFile(holdFile(`${file}-shm`)),
      connection,
      change: isNew ? "was created, in WAL mode" : wasSwitched ? "was switched to WAL mode" : undefined,
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Whether the path still leads to the file that was attached; a file that is gone has not been replaced yet. */
export function isReplaced({ file, identity }: AttachedDatabase): boolean {
  try {
    return identityOf(file) !== identity;
  } catch {
    return false;
  }
}

/** What those are told who ask meanwhile. */
export function fileReplaced(file: string): TailraceError {
  return new TailraceError("not_ready", `${file} was replaced; waiting for the new file`, {
    retryable: true,
  });
}

/** Reads one page as it stands at a commit: its newest frame up to there, or else what is in the database file. */
export function readPageAt(
  { databaseDescriptor, index, walFile, pageSizeBytes }: AttachedDatabase,
  pageNumber: PageNumber,
  { frame, salts }: WalMark,
  into: Buffer,
): void {
  onStorage("read", "the database", () =>
    readAtOrZeros(databaseDescriptor, into, (pageNumber - 1) * pageSizeBytes),
  );
  if (frame === 0) return;
  const frames = new WalFrames(walFile, index, {
    ...index.read().header,
    mxFrame: frame,
    salts,
    pageSizeBytes,
  });
  try {
    frames.patchRun(pageNumber, 1, into);
  } finally {
    frames.close();
  }
}

/** @returns whether it was not in WAL mode */
function switchToWal(connection: Connection, driver: Driver, file: string): boolean {
  for (let attempt = 1; ; attempt++) {
    try {
      if (connection.row("PRAGMA journal_mode")?.[0] === "wal") return false;
      if (connection.row("PRAGMA journal_mode=WAL")?.[0] === "wal") return true;
      throw new TailraceError("unsupported_file_system", `${file} cannot be switched to WAL mode`, {
        hint: "SQLite's WAL needs a local file system.",
      });
    } catch (cause) {
      if (!isBusy(driver, cause)) throw cause;
      if (attempt === SWITCH_TRIES) {
        throw new TailraceError("database_busy", `${file} is in use and cannot be switched to WAL mode`, {
          cause,
          retryable: true,
          hint: `Close its other connections for a moment, or run PRAGMA journal_mode=WAL on it.`,
        });
      }
      // This thread serves nobody yet.
      Atomics.wait(sleeper, 0, 0, SWITCH_PAUSE_MS);
    }
  }
}
