import { statSync } from "node:fs";
import path from "node:path";
import { TailraceError } from "../errors.ts";
import { size } from "../human.ts";
import { diskSpaceOf } from "./disk-space.ts";

/** Bytes that are kept free unless told otherwise. */
export const KEEP_FREE_BYTES: number = 64 << 20;
/** Of a small file system no more than this part is kept free, whatever was asked for. */
const MOST_KEPT_FREE = 1 / 20;
/** Others write too: what was found is believed for so long. */
const FRESH_MS = 1_000;
/** And until so much has been taken: files take more of the disk than their content. */
const FRESH_BYTES: number = 1 << 20;

export interface DiskRoomOptions {
  /** What is written goes there. */
  readonly folder: string;
  /** Bytes that are left to others; no more than a twentieth of the file system. */
  readonly keepFreeBytes: number;
  /** Monotonic. */
  readonly nowMs: () => number;
}

/** What somebody else wants written here does not fit. Nothing was written; it passes when there is room again. */
export class NoRoomError extends TailraceError {
  constructor(what: string, neededBytes: number, leftBytes: number) {
    super(
      "storage_failed",
      `${what} needs ${size(neededBytes)} on the disk, where ${size(Math.max(0, leftBytes))} may still be written`,
      { retryable: true, hint: "Make room on the disk, or keep less of it free with --keep-free-bytes." },
    );
  }
}

/**
 * How much may be written of what comes from another node: the free space of the disk, less what is to stay free. What
 * is announced is refused before its first byte is written.
 */
export class DiskRoom {
  private readonly options: DiskRoomOptions;
  private leftBytes = 0;
  /** Since the last look. */
  private takenBytes = 0;
  private lookedMs = -Infinity;

  constructor(options: DiskRoomOptions) {
    this.options = options;
  }

  /**
   * Before so much is written.
   *
   * @param what is to be written, for the message
   * @throws NoRoomError (storage_failed)
   */
  take(bytes: number, what: string): void {
    // Who has nothing to write is none the worse for a full disk.
    if (bytes === 0) return;
    const nowMs = this.options.nowMs();
    if (bytes > this.leftBytes || nowMs - this.lookedMs > FRESH_MS) this.look(nowMs);
    // Never more than was left: what somebody has taken may not be written yet.
    else if (this.takenBytes >= FRESH_BYTES) this.look(nowMs, this.leftBytes);
    if (bytes > this.leftBytes) throw new NoRoomError(what, bytes, this.leftBytes);
    this.leftBytes -= bytes;
    this.takenBytes += bytes;
  }

  private look(nowMs: number, mostBytes = Infinity): void {
    const { folder, keepFreeBytes } = this.options;
    const space = diskSpaceOf(folder);
    this.lookedMs = nowMs;
    this.takenBytes = 0;
    const leftBytes =
      space === null ? Infinity : space.freeBytes - Math.min(keepFreeBytes, space.sizeBytes * MOST_KEPT_FREE);
    this.leftBytes = Math.min(leftBytes, mostBytes);
  }
}

/** For what a replica writes: its own files and the database may be on different disks, or share the room of one. */
export interface ReplicaRoom {
  readonly data: DiskRoom;
  readonly database: DiskRoom;
}

/** @param file the database. @param options but for the folders */
export function replicaRoom(
  dataDir: string,
  file: string,
  options: Omit<DiskRoomOptions, "folder">,
): ReplicaRoom {
  const folder = path.dirname(path.resolve(file));
  const data = new DiskRoom({ ...options, folder: dataDir });
  return { data, database: isOneDisk(dataDir, folder) ? data : new DiskRoom({ ...options, folder }) };
}

function isOneDisk(...folders: readonly [string, string]): boolean {
  const [one, other] = folders.map((folder) => statSync(folder, { throwIfNoEntry: false })?.dev);
  return one === other;
}
