import { asTailraceError } from "../shared/errors.ts";
import type { Connection, Driver } from "../shared/sqlite/driver.ts";

/** Tailrace holds SQLite's write lock only for moments, and only when the WAL has grown past its hard limit. */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * The connection that the user gets: one that waits for locks, and leaves checkpoints to Tailrace's own policy.
 *
 * @param isLogged whether Tailrace's log makes commits durable. SQLite's own fsync at each would be a second one: what a
 * loss of power takes from the SQLite WAL, the log puts back
 * @throws storage_failed, and what else SQLite says, as an error of Tailrace
 */
export function openUserConnection(
  driver: Driver,
  file: string,
  { isLogged = false, ...options }: { readonly readOnly: boolean; readonly isLogged?: boolean },
): Connection {
  let connection: Connection | undefined;
  try {
    connection = driver.open(file, options);
    connection.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    connection.exec("PRAGMA wal_autocheckpoint = 0");
    if (isLogged) connection.exec("PRAGMA synchronous = NORMAL");
    return connection;
  } catch (error) {
    connection?.close();
    throw asTailraceError(error);
  }
}
