import { closeSync, fsyncSync, openSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { writeAt } from "./positioned-io.ts";
import { onStorage } from "./storage-error.ts";

/** What a name ends with while its file is being written. Such files are of no use after a crash. */
export const UNFINISHED_SUFFIX = ".tmp";

/**
 * Puts a small file in place, whole: after a crash either the old bytes stand there or the new, and once this returns
 * the new do. One writer at a time.
 *
 * @throws storage_failed
 */
export function writeFileAtomically(path: string, bytes: Uint8Array): void {
  const unfinished = path + UNFINISHED_SUFFIX;
  onStorage("write", path, () => {
    const descriptor = openSync(unfinished, "w");
    try {
      writeAt(descriptor, bytes, 0);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    publishFile(unfinished, path);
  });
}

/** Gives a file that is durable in itself its name, durably. */
export function publishFile(unfinished: string, path: string): void {
  renameSync(unfinished, path);
  syncFolder(dirname(path));
}

/** Makes created, renamed and removed names of a folder durable. @throws storage_failed */
export function syncFolder(folder: string): void {
  onStorage("sync", folder, () => {
    const descriptor = openSync(folder, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}
