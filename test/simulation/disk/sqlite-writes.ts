import { fstatSync, readSync } from "node:fs";
import type { DiskFile } from "./disk-file.ts";
import type { WalState } from "./wal-state.ts";

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Of a frame's header. */
const SALTS_AT = 8;

/** As the wal-index has them until the first commit; and a frame whose checksum is only reckoned with the commit. */
const NO_SALTS = "0000000000000000";

let scratch = Buffer.alloc(1 << 16);

/** A part of a file, from one offset to another. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

const ALL: Part = { from: 0, to: Number.POSITIVE_INFINITY };
const NOTHING: Part = { from: 0, to: 0 };

/**
 * Where SQLite may have written since a file was recorded last, by the rules of its file formats: to the database only
 * when frames are copied; to a WAL that was not begun anew only behind its last commit, and frames in their order. Where
 * they do not say it for certain, that is the whole file.
 */
export class SqliteWrites {
  private readonly recorded = new WeakMap<DiskFile, WalState>();

  /** @param state of now; undefined where no WAL is in use */
  inDatabase(file: DiskFile, descriptor: number, state: WalState | undefined): Part {
    const before = this.exchange(file, state);
    const isUntouched =
      state?.isSound === true &&
      before?.salts === state.salts &&
      before.copiedFrames === state.copiedFrames &&
      before.attemptedFrames === state.attemptedFrames;
    return isUntouched && fstatSync(descriptor).size === file.size ? NOTHING : ALL;
  }

  inWal(file: DiskFile, descriptor: number, state: WalState | undefined): Part {
    const before = this.exchange(file, state);
    const hasGoneOn =
      state?.isSound === true &&
      state.salts !== NO_SALTS &&
      before?.salts === state.salts &&
      before.frames <= state.frames;
    if (!hasGoneOn) return ALL;
    const { size } = fstatSync(descriptor);
    if (size < file.size) return ALL;
    const frameBytes = FRAME_HEADER_BYTES + state.pageSize;
    const known = WAL_HEADER_BYTES + before.frames * frameBytes;
    // Each frame's checksum is over all before it: a recovery that has left some out, and gone on with others, shows here.
    const last = known - frameBytes;
    if (before.frames > 0 && !file.isAsRecorded(descriptor, { from: last, to: last + FRAME_HEADER_BYTES }))
      return ALL;
    const to = endOfFrames(descriptor, { from: known, to: size }, frameBytes, state.salts);
    return { from: before.frames > 0 ? known : 0, to };
  }

  /** @returns the state in which the file was recorded last */
  private exchange(file: DiskFile, state: WalState | undefined): WalState | undefined {
    const before = this.recorded.get(file);
    if (state?.isSound === true) this.recorded.set(file, state);
    else this.recorded.delete(file);
    return before;
  }
}

/** Behind the last one that is of the WAL as it was begun last. */
function endOfFrames(descriptor: number, { from, to }: Part, frameBytes: number, salts: string): number {
  const wanted = Buffer.from(salts, "hex");
  const [first, second] = [wanted.readUInt32LE(0), wanted.readUInt32LE(4)];
  const step = Math.max(1, Math.floor(scratch.length / frameBytes)) * frameBytes;
  if (step > scratch.length) scratch = Buffer.alloc(step);
  for (let start = from; start < to; start += step) {
    const size = readSync(descriptor, scratch, 0, Math.min(step, to - start), start);
    for (let at = 0; at < size; at += frameBytes) {
      if (at + FRAME_HEADER_BYTES > size) return start + at;
      const one = scratch.readUInt32LE(at + SALTS_AT);
      const other = scratch.readUInt32LE(at + SALTS_AT + 4);
      const isOurs = (one === first && other === second) || (one === 0 && other === 0);
      if (!isOurs) return start + at;
    }
  }
  return to;
}
