import { open } from "node:fs/promises";
import { TailraceError } from "../errors.ts";
import { storageError } from "../storage/storage-error.ts";
import { systemCode } from "../system-error.ts";

/** @throws snapshot_unknown when it has been removed meanwhile; storage_failed */
export async function openSnapshotFile(path: string): ReturnType<typeof open> {
  try {
    return await open(path, "r");
  } catch (cause) {
    if (systemCode(cause) !== "ENOENT") throw storageError("read", path, cause);
    throw new TailraceError("snapshot_unknown", `${path} has just made way for a newer snapshot`, {
      cause,
      retryable: true,
      hint: "Ask for /snapshot/latest again.",
    });
  }
}
