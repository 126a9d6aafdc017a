import { TailraceError } from "../shared/errors.ts";
import { SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_READONLY } from "../shared/sqlite/driver.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { attachDatabase } from "./attached-database.ts";
import type { AttachedDatabase } from "./attached-database.ts";
import { causeText } from "../shared/storage/storage-error.ts";

/**
 * Attaches to a database.
 *
 * @throws not_a_database, database_corrupt, read_only; database_busy; the driver's own errors
 */
export function openDatabase(driver: Driver, file: string): AttachedDatabase {
  try {
    return attachDatabase(driver, file);
  } catch (cause) {
    const code = driver.resultCode(cause);
    const what = `${file}: ${causeText(cause)}`;
    if (code === SQLITE_NOTADB) {
      throw new TailraceError("not_a_database", what, {
        cause,
        hint: "An encrypted database looks the same; Tailrace needs a plain one.",
      });
    }
    if (code === SQLITE_CORRUPT) {
      throw new TailraceError("database_corrupt", what, { cause, hint: "Restore it from a backup." });
    }
    if (code === SQLITE_READONLY) {
      throw new TailraceError("read_only", what, { cause, hint: "Give this user write access to it." });
    }
    throw cause;
  }
}
