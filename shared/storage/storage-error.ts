import { TailraceError } from "../errors.ts";
import { isShortage } from "../shortage.ts";

/** The system's code of an error ("ENOENT"); undefined where it has none. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** What the system, or SQLite, says of an error: `ENOSPC: no space left on device, write`. */
export function causeText(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

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

/** The way out of an error of the operating system; undefined where it is not known. */
export function storageHint(cause: unknown): string | undefined {
  return HINTS[systemCode(cause) ?? ""];
}

/** `storage_failed` around an error of the operating system; a TailraceError stays what it is. */
export function storageError(action: string, path: string, cause: unknown): TailraceError {
  if (cause instanceof TailraceError) return cause;
  const hint = storageHint(cause);
  return new TailraceError("storage_failed", `cannot ${action} ${path}: ${causeText(cause)}`, {
    cause,
    retryable: isShortage(cause),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Runs the work; an error of the operating system in it becomes `storage_failed`. */
export function onStorage<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw storageError(action, path, cause);
  }
}
