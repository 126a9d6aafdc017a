import { closeSync, fstatSync, openSync, statSync } from "node:fs";

/**
 * Descriptors of database and wal-index files, opened once and kept for the life of the process.
 *
 * POSIX record locks belong to (process, file): closing *any* descriptor of a file drops every lock the process has on
 * it, SQLite's included (https://www.sqlite.org/howtocorrupt.html, section 2.2). So nothing here is ever closed while
 * the file can still be reached by a path.
 */
const held = new Map<string, number>();

/** A read-write descriptor of the file that now stands at `path`. Do not close it. @throws the system's error */
export function holdFile(path: string): number {
  const known = held.get(identityOf(path));
  if (known !== undefined) return known;
  dropUnlinked();
  const descriptor = openSync(path, "r+");
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  held.set(`${dev}:${ino}`, descriptor);
  return descriptor;
}

/** Device and inode of the file at `path`, without opening it. @throws the system's error */
export function identityOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** A file that no path leads to any more (SQLite deletes the wal-index with its last connection) has no locks to lose. */
function dropUnlinked(): void {
  for (const [identity, descriptor] of held) {
    if (fstatSync(descriptor).nlink > 0) continue;
    held.delete(identity);
    closeSync(descriptor);
  }
}
