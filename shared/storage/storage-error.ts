import { TailraceError } from "../errors.ts";
import { isShortage, systemHint } from "../system-error.ts";

/** What the system, or SQLite, says of an error: `ENOSPC: no space left on device, write`. */
export function causeText(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** `storage_failed` around an error of the operating system; a TailraceError stays what it is. */
export function storageError(action: string, path: string, cause: unknown): TailraceError {
  if (cause instanceof TailraceError) return cause;
  const hint = systemHint(cause);
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
