import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/**
 * One absolute path for one database file, whatever link leads to it: SQLite names the WAL after it, and Tailrace the
 * data folder. For a file that does not exist yet, its folder's.
 */
export function databasePath(file: string): string {
  const path = resolve(file);
  if (existsSync(path)) return realpathSync(path);
  const folder = dirname(path);
  return existsSync(folder) ? join(realpathSync(folder), basename(path)) : path;
}

export function dataFolderOf(file: string, dataDir: string | undefined): string {
  return dataDir === undefined ? `${file}-tailrace` : resolve(dataDir);
}

/** The log within a data folder: what a serving thread reads. */
export function logFolderOf(dataFolder: string): string {
  return join(dataFolder, "log");
}
