import { constants } from "node:os";

const TEXTS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  ENOSPC: "no space left on device",
  EIO: "i/o error",
  EMFILE: "too many open files",
  EACCES: "permission denied",
  EROFS: "read-only file system",
  EBADF: "bad file descriptor",
};

/** An error as node:fs throws it. */
export function systemError(code: string, syscall: string, path?: string): NodeJS.ErrnoException {
  const suffix = path === undefined ? "" : ` '${path}'`;
  const errno = -((constants.errno as Record<string, number>)[code] ?? 1);
  return Object.assign(new Error(`${code}: ${TEXTS[code] ?? "failed"}, ${syscall}${suffix}`), {
    code,
    syscall,
    errno,
    ...(path === undefined ? {} : { path }),
  });
}
