import { TailraceError } from "../errors.ts";

/**
 * The SQLite library in use, behind five functions. One process reads and writes one file through one library only:
 * two copies of SQLite in a process do not see each other's POSIX locks.
 */
export interface Driver {
  readonly name: DriverName;
  /**
   * Opens a connection that never waits for a lock: busy is an error at once ({@link isBusy}). A file that is missing is
   * made, as SQLite does, unless the options forbid it.
   * @throws the library's own error
   */
  open(file: string, options?: OpenOptions): Connection;
  /** SQLite's primary result code of an error the library threw (5 busy, 26 not a database …); undefined for others. */
  resultCode(error: unknown): number | undefined;
}

export interface OpenOptions {
  readonly readOnly?: boolean;
  /** For a path that may have vanished: a missing file is SQLITE_CANTOPEN, not a new database. */
  readonly mustExist?: boolean;
}

export interface Connection {
  /** The library's own object. */
  readonly handle: unknown;
  exec(sql: string): void;
  /** The first row of a statement's result, column by column, integers as numbers. */
  row(sql: string): readonly unknown[] | undefined;
  close(): void;
}

export type DriverName = "node:sqlite" | "better-sqlite3";

export const SQLITE_BUSY = 5;
export const SQLITE_LOCKED = 6;
export const SQLITE_READONLY = 8;
export const SQLITE_CORRUPT = 11;
export const SQLITE_CANTOPEN = 14;
export const SQLITE_NOTADB = 26;

export function isBusy(driver: Driver, error: unknown): boolean {
  const code = driver.resultCode(error);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED;
}

/** @throws driver_unavailable */
export async function loadDriver(name: DriverName): Promise<Driver> {
  try {
    if (name === "better-sqlite3") return (await import("./better-sqlite3.ts")).driver;
    return (await import("./node-sqlite.ts")).driver;
  } catch (cause) {
    throw new TailraceError(
      "driver_unavailable",
      `SQLite driver ${name} cannot be loaded: ${String(cause)}`,
      {
        cause,
        hint: name === "better-sqlite3" ? "npm install better-sqlite3" : "Run Node 24.15 or later.",
      },
    );
  }
}
