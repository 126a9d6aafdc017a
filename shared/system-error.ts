/*
 * What an error of the operating system, of SQLite or of Node says of itself.
 */

/** Codes of the operating system, of Node where a thread cannot be made, and of better-sqlite3. */
const SHORTAGES =
  /^(ENOSPC|EDQUOT|EFBIG|EIO|EMFILE|ENFILE|ENOMEM|EROFS|EAGAIN|EINTR|ERR_WORKER_INIT_FAILED|SQLITE_(NOMEM|READONLY|IOERR|FULL|CANTOPEN)(_.*)?)$/;
/** SQLite's primary result codes, as node:sqlite has them: no memory, read-only, I/O error, full, cannot open. */
const SQLITE_SHORTAGES: ReadonlySet<number> = new Set([7, 8, 10, 13, 14]);

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: "Free some space on the disk.",
  EDQUOT: "Raise the disk quota, or free some space.",
  EFBIG: "Raise the limit of a file's size (ulimit -f).",
  EACCES: "Give this user access to the file.",
  EPERM: "Give this user access to the file.",
  EROFS: "Make the file system writable again, or use a folder on another.",
  EMFILE: "Raise the limit of open files (ulimit -n).",
  ENFILE: "Raise the system's limit of open files (fs.file-max).",
};

/** The system's code of an error ("ENOENT"); undefined where it has none. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** The way out of an error of the operating system; undefined where it is not known. */
export function systemHint(error: unknown): string | undefined {
  return HINTS[systemCode(error) ?? ""];
}

/**
 * Whether it is what the machine lacks now, and may have again without anybody's doing anything to this process: room, a
 * quota, descriptors, memory, a writable disk. Such an error passes. No other does: a wrong argument, a closed
 * descriptor, or SQLite's "misuse" and "corrupt" stay what they are, however often they are tried.
 */
export function isShortage(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { readonly errcode?: unknown };
  if (typeof errcode === "number") return SQLITE_SHORTAGES.has(errcode & 0xff);
  return SHORTAGES.test(systemCode(error) ?? "");
}

/** Whether the operating system has refused a path, which the error then names. One about a descriptor names none. */
export function isOfPath(error: unknown): boolean {
  const { errno, path } = (error ?? {}) as { readonly errno?: unknown; readonly path?: unknown };
  return typeof errno === "number" && typeof path === "string";
}
