/*
 * What the machine lacks now, and may have again without anybody's doing anything to this process: room, a quota,
 * descriptors, memory, a writable disk. Such an error passes. No other does: a wrong argument, a closed descriptor, or
 * SQLite's "misuse" and "corrupt" stay what they are, however often they are tried.
 */

/** Codes of the operating system, of Node where a thread cannot be made, and of better-sqlite3. */
const CODES =
  /^(ENOSPC|EDQUOT|EFBIG|EIO|EMFILE|ENFILE|ENOMEM|EROFS|EAGAIN|EINTR|ERR_WORKER_INIT_FAILED|SQLITE_(NOMEM|READONLY|IOERR|FULL|CANTOPEN)(_.*)?)$/;
/** SQLite's primary result codes, as node:sqlite has them: no memory, read-only, I/O error, full, cannot open. */
const SQLITE_CODES: ReadonlySet<number> = new Set([7, 8, 10, 13, 14]);

/** Whether an error of the operating system, of SQLite or of Node is one that passes. */
export function isShortage(error: unknown): boolean {
  const { code, errcode } = (error ?? {}) as { readonly code?: unknown; readonly errcode?: unknown };
  if (typeof errcode === "number") return SQLITE_CODES.has(errcode & 0xff);
  return typeof code === "string" && CODES.test(code);
}
