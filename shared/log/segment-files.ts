import { close, closeSync, existsSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader } from "../format/segment.ts";
import type { SegmentHeader } from "../format/segment.ts";
import { UNFINISHED_SUFFIX, syncFolder } from "../storage/atomic-file.ts";
import { readAt } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";
import { systemCode } from "../system-error.ts";

/*
 * The files of a log: `0000000000000001.log`, `…2.log`, each a segment (shared/format/segment.ts). A file appears
 * under its name only when its header is on disk, so that a file shorter than a header is damage, never a crash.
 */
const SUFFIX = ".log";

export function segmentPath(folder: string, segment: number): string {
  return join(folder, segment.toString(16).padStart(16, "0") + SUFFIX);
}

/** The numbers of the segments in the folder, ascending. @throws storage_failed */
export function listSegments(folder: string): number[] {
  return onStorage("list", folder, () => readdirSync(folder))
    .filter((name) => /^[0-9a-f]{16}\.log$/.test(name))
    .map((name) => Number.parseInt(name.slice(0, 16), 16))
    .toSorted((a, b) => a - b);
}

/** What a segment says of itself. @throws damaged, unknown_version, storage_failed */
export function readSegmentHeader(folder: string, segment: number): SegmentHeader {
  const path = segmentPath(folder, segment);
  return onStorage("read", path, () => {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const descriptor = openSync(path, "r");
    try {
      return decodeSegmentHeader(bytes.subarray(0, readAt(descriptor, bytes, 0)));
    } finally {
      closeSync(descriptor);
    }
  });
}

/** Whether nothing was ever logged there: there is no segment, or the first one's header alone. */
export function isUnbegun(folder: string): boolean {
  if (!existsSync(folder)) return true;
  const [first, ...more] = listSegments(folder);
  if (first === undefined) return true;
  return first === 1 && more.length === 0 && statSync(segmentPath(folder, 1)).size <= SEGMENT_HEADER_BYTES;
}

/** Removes what an interrupted creation of a segment left. @throws storage_failed */
export function removeUnfinished(folder: string): void {
  for (const name of onStorage("list", folder, () => readdirSync(folder))) {
    const path = join(folder, name);
    if (name.endsWith(UNFINISHED_SUFFIX)) onStorage("remove", path, () => rmSync(path));
  }
}

/**
 * Removes segments in the given order, each durably gone before the next: a crash leaves no hole.
 *
 * @throws storage_failed; those before the one it names are gone
 */
export function removeSegments(folder: string, segments: readonly number[]): void {
  for (const segment of segments) removeSegment(folder, segment, () => syncFolder(folder));
}

/**
 * Removes one, which a crash may bring back.
 *
 * Its name goes at once. To free the bytes of a full segment takes tens of milliseconds: the kernel does that when the
 * last descriptor is closed, and that happens on another thread.
 *
 * @param settle done before its bytes are freed
 * @throws storage_failed
 */
export function removeSegment(folder: string, segment: number, settle: () => void = () => {}): void {
  const path = segmentPath(folder, segment);
  onStorage("remove", path, () => {
    const descriptor = openIfThere(path);
    if (descriptor === undefined) return;
    try {
      rmSync(path, { force: true });
      settle();
    } finally {
      close(descriptor);
    }
  });
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
