import { closeSync, fsyncSync, openSync, readdirSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/*
 * The files of a log: `0000000000000001.log`, `…2.log`, each a segment (shared/format/segment.ts). A file appears
 * under its name only when its header is on disk, so that a file shorter than a header is damage, never a crash.
 */
const SUFFIX = ".log";
const UNFINISHED = ".tmp";

export function segmentPath(folder: string, segment: number): string {
  return join(folder, segment.toString(16).padStart(16, "0") + SUFFIX);
}

/** The numbers of the segments in the folder, ascending. */
export function listSegments(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => /^[0-9a-f]{16}\.log$/.test(name))
    .map((name) => Number.parseInt(name.slice(0, 16), 16))
    .toSorted((a, b) => a - b);
}

/** Makes a segment's file with these first bytes, durably and at once; an unsuccessful attempt leaves nothing. */
export function createSegmentFile(folder: string, segment: number, firstBytes: Buffer): void {
  const path = segmentPath(folder, segment);
  const unfinished = path + UNFINISHED;
  try {
    writeFileSync(unfinished, firstBytes, { flush: true });
    renameSync(unfinished, path);
  } catch (error) {
    removeIfThere(unfinished);
    throw error;
  }
  syncFolder(folder);
}

/** Removes what an interrupted {@link createSegmentFile} left. */
export function removeUnfinished(folder: string): void {
  for (const name of readdirSync(folder)) if (name.endsWith(UNFINISHED)) removeIfThere(join(folder, name));
}

/** Removes segments in the given order, each durably gone before the next: a crash leaves no hole. */
export function removeSegments(folder: string, segments: readonly number[]): void {
  for (const segment of segments) {
    removeIfThere(segmentPath(folder, segment));
    syncFolder(folder);
  }
}

/** Makes creations, renames and removals in the folder survive a loss of power. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
