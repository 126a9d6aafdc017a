import { closeSync, fstatSync, openSync, readFileSync, readSync, readdirSync, statSync } from "node:fs";

/** The whole file; undefined where there is none. */
export function fileBytes(path: string): Buffer | undefined {
  return sizeOf(path) === undefined ? undefined : readFileSync(path);
}

/** Bytes of a file from a place to its end, or as many as are asked for; undefined where there is no file. */
export function fileRange(path: string, offset: number, length?: number): Buffer | undefined {
  if (sizeOf(path) === undefined) return undefined;
  const descriptor = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(
      Math.max(0, Math.min(length ?? Infinity, fstatSync(descriptor).size - offset)),
    );
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, offset));
  } finally {
    closeSync(descriptor);
  }
}

/** The file's size; undefined where there is none. */
export function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

/** What is in the folder, in order; nothing where there is none. */
export function namesIn(folder: string): string[] {
  return sizeOf(folder) === undefined ? [] : readdirSync(folder).toSorted();
}

/** Another text for another file, and for one that was written to. */
export function fileStamp(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats === undefined ? "none" : `${stats.ino}:${stats.size}:${stats.mtimeNs}`;
}
