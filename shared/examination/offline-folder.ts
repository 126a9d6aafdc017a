import { readFileSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { TailraceError } from "../errors.ts";
import { isBusy } from "../sqlite/driver.ts";
import type { Connection, Driver } from "../sqlite/driver.ts";
import { DataFolder, assertLockFile } from "../storage/data-folder.ts";
import { onStorage, storageError } from "../storage/storage-error.ts";
import { systemCode } from "../system-error.ts";

/** What every node's data folder has one of. */
const MARKS: readonly string[] = ["meta.json", "log", "lock.db", "position", "snapshots"];
/** Of the small documents in a data folder; a longer one is none of them. */
const MAX_DOCUMENT_BYTES = 16 << 20;

/**
 * The data folder that a path means: itself, or that of the database at the path.
 *
 * @throws folder_missing, invalid_request when it is neither, storage_failed
 */
export function findDataFolder(path: string): string {
  const given = resolve(path);
  const kind = kindOf(given);
  if (kind === undefined) {
    throw new TailraceError("folder_missing", `${given} does not exist`, {
      hint: "Give a data folder, such as app.db-tailrace, or the database that it belongs to.",
    });
  }
  if (kind === "folder") return asDataFolder(given, given);
  const beside = DataFolder.pathFor(given);
  if (kind === "file" && kindOf(beside) === "folder") return asDataFolder(beside, given);
  throw new TailraceError("invalid_request", `${given} is no data folder, and has none beside it`, {
    hint: "Give the data folder itself, if it was put elsewhere with --data-dir.",
  });
}

function asDataFolder(folder: string, given: string): string {
  const names = onStorage("list", folder, () => readdirSync(folder));
  // Where links lead to is where files are moved to.
  if (MARKS.some((name) => names.includes(name))) return realpathSync(folder);
  throw new TailraceError("invalid_request", `${folder} is no data folder of Tailrace`, {
    hint:
      kindOf(DataFolder.pathFor(given)) === "folder"
        ? `Give ${DataFolder.pathFor(given)}.`
        : "A data folder holds meta.json and a folder named log; its name usually ends with -tailrace.",
  });
}

/**
 * Keeps nodes out of a data folder while it is read, and writes nothing to it: a shared lock, so that two may read.
 *
 * @returns what lets go of it
 * @throws data_folder_in_use, damaged (lock.db), storage_failed
 */
export function holdForReading(folder: string, driver: Driver): () => void {
  const file = join(folder, "lock.db");
  // A running node has one: without it nobody can be there, and making it would be a change.
  if (kindOf(file) !== "file") return () => {};
  assertLockFile(file);
  let connection: Connection | undefined;
  try {
    connection = driver.open(file, { readOnly: true, mustExist: true });
    connection.exec("BEGIN");
    connection.row("SELECT count(*) FROM sqlite_schema");
    const held = connection;
    return () => held.close();
  } catch (cause) {
    connection?.close();
    if (!isBusy(driver, cause)) throw storageError("lock", file, cause);
    throw new TailraceError("data_folder_in_use", `a Tailrace node is running on ${folder}`, {
      cause,
      hint: "Ask the node instead: tailrace status URL, tailrace wal URL, tailrace verify URL --deep. Or stop it first.",
    });
  }
}

export function kindOf(path: string): "file" | "folder" | "other" | undefined {
  try {
    const stats = statSync(path);
    return stats.isDirectory() ? "folder" : stats.isFile() ? "file" : "other";
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return undefined;
    throw storageError("examine", path, cause);
  }
}

/** A small document as it stands; undefined where there is no file. @throws damaged when it is no JSON, or too long */
export function readDocument(path: string): unknown {
  if (kindOf(path) === undefined) return undefined;
  return onStorage("read", path, () => {
    if (kindOf(path) !== "file" || statSync(path).size > MAX_DOCUMENT_BYTES)
      throw new TailraceError("damaged", "it is no document of Tailrace");
    try {
      return JSON.parse(readFileSync(path, "utf8")) as unknown;
    } catch (error) {
      if (error instanceof SyntaxError) throw new TailraceError("damaged", "it is no JSON");
      throw error;
    }
  });
}
