import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { TailraceError, assert } from "../errors.ts";
import { compareCursors } from "../format/cursor.ts";
import { SEGMENT_HEADER_BYTES } from "../format/segment.ts";
import { syncFolder, writeFileAtomically } from "../storage/atomic-file.ts";
import { writeAgain, writeAt } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";
import type { Cursor, Txid } from "../units.ts";
import { DamagedLogError } from "./damaged-log-error.ts";
import { FragmentReader } from "./fragment-reader.ts";
import {
  listSegments,
  removeSegment,
  removeSegments,
  removeUnfinished,
  segmentPath,
} from "./segment-files.ts";

const datasync = promisify(fdatasync);

/**
 * A replica's copy of the primary's log: the same files with the same bytes, filled chunk by chunk. Where the copy
 * begins within a segment, that file's head is a hole; `start.json` says where the bytes begin. The copy may end
 * anywhere, also within a record.
 *
 * Invariants: the segments from `start` to `end` are all there; the newest file ends at `end`; files that `start.json`
 * does not cover mean nothing, so that a crash in the midst of a removal or a reset leaves a smaller copy or none.
 */
export class LogCopy {
  private readonly folder: string;
  private startCursor: Cursor;
  private endCursor: Cursor;
  private descriptor: number;
  /** Descriptors of segments left behind since the last sync. */
  private unsynced: number[] = [];
  private appendedBytes = 0;
  /** Everything before is known to be on the disk. */
  private syncedCursor: Cursor;
  /** A sync has failed, or may have: the system takes what it was for as written, and the next sync would succeed without it. */
  private hasFailed = false;
  /** Syncs that are under way on other threads; until they are over, what was done with is not closed. */
  private syncsAhead = 0;
  private doneWith: number[] = [];

  /**
   * Opens the copy, or begins one at `start` where there is none.
   *
   * After a crash the bytes past the last sync may be anything: see {@link LogCopy.lastWholeFragment}. And a sync that failed in
   * the process before may have lost what is read here as it was written: all past `synced` is written again before the
   * first sync is believed.
   *
   * @param synced everything before is known to be on the disk
   * @throws DamagedLogError when a segment is missing or shorter than what is known of it; storage_failed
   */
  static open({
    folder,
    start = { segment: 1, offset: 0 },
    synced = start,
  }: {
    readonly folder: string;
    readonly start?: Cursor;
    readonly synced?: Cursor;
  }): LogCopy {
    return onStorage("open", folder, () => {
      if (mkdirSync(folder, { recursive: true }) !== undefined) syncFolder(dirname(folder));
      removeUnfinished(folder);
      const known = readStart(folder);
      if (known === undefined) beginAt(folder, start);
      return new LogCopy(folder, known ?? start, synced);
    });
  }

  private constructor(folder: string, start: Cursor, synced: Cursor) {
    this.folder = folder;
    this.startCursor = start;
    this.syncedCursor = compareCursors(synced, start) < 0 ? start : synced;
    const segments = listSegments(folder);
    removeSegments(
      folder,
      segments.filter((segment) => segment < start.segment),
    );
    const kept = segments.filter((segment) => segment >= start.segment);
    kept.forEach((segment, index) => {
      if (segment !== start.segment + index)
        throw new DamagedLogError({ segment: start.segment + index, offset: 0 }, "the file is missing");
    });
    const newest = kept.at(-1);
    if (newest === undefined) throw new DamagedLogError(start, "the file is missing");
    const firstBytes = statSync(segmentPath(folder, start.segment)).size;
    if (firstBytes < start.offset) throw new DamagedLogError(start, `the file ends at ${firstBytes}`);
    this.descriptor = openSync(segmentPath(folder, newest), "r+");
    this.endCursor = { segment: newest, offset: statSync(segmentPath(folder, newest)).size };
    if (compareCursors(this.endCursor, this.syncedCursor) <= 0) return;
    this.hasFailed = true;
    const { segment, offset } = this.syncedCursor;
    for (const uncertain of kept.filter((candidate) => candidate >= segment))
      this.appendedBytes += statSync(segmentPath(folder, uncertain)).size;
    this.appendedBytes -= offset;
  }

  /** The first byte that is there. */
  get start(): Cursor {
    return this.startCursor;
  }

  /** Where the next chunk goes: the cursor to ask the primary for. */
  get end(): Cursor {
    return this.endCursor;
  }

  /** Whether a path still leads to what was written: to its beginning and its end, that is. */
  get isHere(): boolean {
    const { folder, startCursor, endCursor, descriptor } = this;
    const newest = statSync(segmentPath(folder, endCursor.segment), { throwIfNoEntry: false });
    if (newest?.ino !== fstatSync(descriptor).ino) return false;
    return existsSync(startFile(folder)) && existsSync(segmentPath(folder, startCursor.segment));
  }

  /** Bytes that are not known to be on the disk: no sync since has succeeded. */
  get unsyncedBytes(): number {
    return this.appendedBytes;
  }

  /**
   * Appends a chunk.
   *
   * @param cursor the chunk's own: the copy's end
   * @param next as the primary answered: the end of the chunk, or the first byte of the next segment
   * @throws storage_failed; the copy is then as it was
   */
  append(cursor: Cursor, bytes: Uint8Array, next: Cursor): void {
    const { segment, offset } = this.endCursor;
    assert(compareCursors(cursor, this.endCursor) === 0, "a chunk continues the copy");
    const end = offset + bytes.length;
    const isSealed = next.segment === segment + 1 && next.offset === 0;
    assert(isSealed || (next.segment === segment && next.offset === end), "a chunk leads to its own end");
    this.onFile("write", () => {
      try {
        writeAt(this.descriptor, bytes, offset);
        if (isSealed) this.beginNext(next.segment);
      } catch (error) {
        ftruncateSync(this.descriptor, offset);
        throw error;
      }
    });
    this.endCursor = next;
    this.appendedBytes += bytes.length;
  }

  /** Puts all that was appended on disk: only then may the primary be asked for what follows. @throws storage_failed */
  sync(): void {
    // The disk would empty its own cache for nothing.
    if (this.appendedBytes === 0 && this.unsynced.length === 0 && !this.hasFailed) return;
    this.onFile("sync", () => {
      try {
        if (this.hasFailed) this.writeAgain();
        for (const descriptor of [...this.unsynced, this.descriptor]) fdatasyncSync(descriptor);
        if (this.unsynced.length > 0) syncFolder(this.folder);
      } catch (error) {
        this.hasFailed = true;
        throw error;
      }
    });
    this.hasFailed = false;
    this.appendedBytes = 0;
    this.syncedCursor = this.endCursor;
    this.closeUnsynced();
  }

  /**
   * Puts what was appended so far on disk, on another thread: a {@link sync} after it has little left to do, and nothing
   * where all of that is in one segment and nothing has come since.
   *
   * @throws storage_failed
   */
  async syncAhead(): Promise<void> {
    const { descriptor: newest, endCursor, syncedCursor, appendedBytes } = this;
    const descriptors = [...this.unsynced, newest];
    this.syncsAhead += 1;
    const results = await Promise.allSettled(descriptors.map((descriptor) => datasync(descriptor)));
    this.syncsAhead -= 1;
    this.closeDoneWith();
    this.onFile("sync", () => {
      const failed = results.find((result) => result.status === "rejected");
      if (failed === undefined) return;
      this.hasFailed = true;
      throw failed.reason;
    });
    // Of syncs side by side one alone is told of a failure: none is believed before all are over.
    const isCertain = !this.hasFailed && this.syncsAhead === 0;
    const isAsItWas = this.descriptor === newest && this.syncedCursor === syncedCursor;
    if (!isCertain || !isAsItWas || this.unsynced.length > 0) return;
    this.syncedCursor = endCursor;
    this.appendedBytes -= appendedBytes;
  }

  /** Forgets what is past the cursor. Readers past it must not be used again. @throws storage_failed */
  truncate(to: Cursor): void {
    const isWithin = compareCursors(this.startCursor, to) <= 0 && compareCursors(to, this.endCursor) <= 0;
    assert(isWithin, "a copy is cut within its bounds");
    this.onFile("truncate", () => {
      const past = listSegments(this.folder).filter((segment) => segment > to.segment);
      removeSegments(this.folder, past.toReversed());
      this.openNewest(to.segment);
      ftruncateSync(this.descriptor, to.offset);
    });
    this.endCursor = to;
    if (compareCursors(to, this.syncedCursor) < 0) this.syncedCursor = to;
  }

  /** Removes the segments before the given one, but never the newest. */
  dropBefore(segment: number): void {
    const first = Math.min(segment, this.endCursor.segment);
    if (first <= this.startCursor.segment) return;
    const start = { segment: first, offset: 0 };
    this.onFile("shorten", () => {
      writeStart(this.folder, start);
      // They mean nothing any more: those that a crash brings back go when the copy is opened.
      for (const candidate of listSegments(this.folder))
        if (candidate < first) removeSegment(this.folder, candidate);
    });
    this.startCursor = start;
  }

  /** Forgets everything, and begins anew at the cursor. @throws storage_failed */
  reset(start: Cursor): void {
    this.onFile("reset", () => {
      beginAt(this.folder, start);
      this.openNewest(start.segment);
    });
    this.startCursor = start;
    this.endCursor = start;
    this.syncedCursor = start;
    this.hasFailed = false;
  }

  /**
   * Reads the fragments from a cursor on, and finds where the last one ends that is whole and undamaged. Cutting there
   * makes the copy sound after a crash: what was cut is fetched again.
   *
   * @param from the start of a fragment, or of a segment
   */
  lastWholeFragment(from: Cursor): Cursor {
    let end = from;
    let txid: Txid | undefined;
    const reader = new FragmentReader({
      folder: this.folder,
      start: from,
      end: () => this.endCursor,
      onSegment: ({ segment, firstTxid }) => {
        // A segment that lost its end at a border between records shows only here.
        if (txid !== undefined && firstTxid !== txid + 1)
          throw new DamagedLogError(
            { segment, offset: 0 },
            `it begins with transaction ${firstTxid}, after ${txid}`,
          );
        end = { segment, offset: SEGMENT_HEADER_BYTES };
      },
    });
    try {
      for (let placed = reader.next(); placed !== undefined; placed = reader.next()) {
        end = placed.end;
        txid = placed.fragment.txid;
      }
    } catch (error) {
      if (!(error instanceof DamagedLogError)) throw error;
    } finally {
      reader.close();
    }
    return end;
  }

  close(): void {
    this.doneWith.push(this.descriptor);
    this.closeUnsynced();
  }

  private beginNext(segment: number): void {
    const descriptor = openSync(segmentPath(this.folder, segment), "w+");
    this.unsynced.push(this.descriptor);
    this.descriptor = descriptor;
  }

  /** What was appended since the last sync that succeeded, from memory, which still has it. */
  private writeAgain(): void {
    const from =
      compareCursors(this.syncedCursor, this.startCursor) < 0 ? this.startCursor : this.syncedCursor;
    for (let { segment, offset } = from; segment <= this.endCursor.segment; segment++, offset = 0) {
      const descriptor = openSync(segmentPath(this.folder, segment), "r+");
      try {
        writeAgain(descriptor, offset);
        fdatasyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    }
    syncFolder(this.folder);
  }

  private openNewest(segment: number): void {
    const descriptor = openSync(segmentPath(this.folder, segment), "r+");
    this.doneWith.push(this.descriptor);
    this.closeUnsynced();
    this.descriptor = descriptor;
  }

  private closeUnsynced(): void {
    this.doneWith.push(...this.unsynced);
    this.unsynced = [];
    this.closeDoneWith();
  }

  private closeDoneWith(): void {
    if (this.syncsAhead > 0) return;
    for (const descriptor of this.doneWith) closeSync(descriptor);
    this.doneWith = [];
  }

  private onFile(action: string, work: () => void): void {
    onStorage(action, segmentPath(this.folder, this.endCursor.segment), work);
  }
}

const startSchema = z.strictObject({
  formatVersion: z.literal(1),
  segment: z.int().min(1),
  offset: z.int().min(0),
});

function startFile(folder: string): string {
  return join(folder, "start.json");
}

/**
 * The first byte of a copy. Changes nothing.
 *
 * @returns undefined where no copy was ever begun, or its beginning was interrupted
 * @throws damaged, storage_failed
 */
export function readStart(folder: string): Cursor | undefined {
  if (!existsSync(startFile(folder))) return undefined;
  const text = onStorage("read", startFile(folder), () => readFileSync(startFile(folder), "utf8"));
  try {
    const { segment, offset } = startSchema.parse(JSON.parse(text));
    return { segment, offset };
  } catch (cause) {
    throw new TailraceError("damaged", `${startFile(folder)} does not say where the log copy begins`, {
      cause,
      hint: "Remove the folder; the replica fetches the log again.",
    });
  }
}

function writeStart(folder: string, { segment, offset }: Cursor): void {
  writeFileAtomically(startFile(folder), Buffer.from(JSON.stringify({ formatVersion: 1, segment, offset })));
}

/** Without start.json whatever segments there are mean nothing; with it, the first one is there. */
function beginAt(folder: string, start: Cursor): void {
  rmSync(startFile(folder), { force: true });
  syncFolder(folder);
  removeSegments(folder, listSegments(folder));
  const descriptor = openSync(segmentPath(folder, start.segment), "w");
  try {
    ftruncateSync(descriptor, start.offset);
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  writeStart(folder, start);
}
