import type { Random } from "../core/random.ts";
import { Image } from "./image.ts";

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

type Change =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: "truncate"; readonly size: number };

/**
 * What of one file would be there after a loss of power: what was synced, and of everything since an arbitrary part.
 * The file as processes see it, in the page cache, is kept elsewhere.
 */
export class WriteLog {
  private readonly platter: Image;
  private pending: Change[] = [];
  /** Changes that are synced, or lost: sequence number of the first pending one. */
  private done = 0;

  constructor(durable: Uint8Array = new Uint8Array(0)) {
    this.platter = new Image(durable);
  }

  write(offset: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.pending.push({ kind: "write", offset, bytes: Buffer.from(bytes) });
  }

  truncate(size: number): void {
    this.pending.push({ kind: "truncate", size });
  }

  /** The end of what was changed up to now, for {@link sync}. */
  get mark(): number {
    return this.done + this.pending.length;
  }

  get hasPending(): boolean {
    return this.pending.length > 0;
  }

  /** Makes durable what was changed before the mark. */
  sync(mark: number = this.mark): void {
    const settled = this.pending.splice(0, Math.max(0, mark - this.done));
    for (const change of settled) carryOut(this.platter, change);
    this.done += settled.length;
  }

  /**
   * A sync that fails, as Linux does it: the pages count as clean from then on, so that what they hold never reaches
   * the disk, and the next sync succeeds without them.
   */
  failSync(): void {
    this.done += this.pending.length;
    this.pending = [];
  }

  /** The file as a loss of power leaves it at worst. */
  durable(): Buffer {
    return Buffer.from(this.platter.bytes);
  }

  /** The file after a loss of power. That is then what is durable. */
  losePower(random: Random): Buffer {
    for (const change of survivors(this.pending, random)) carryOut(this.platter, change);
    this.failSync();
    return this.durable();
  }

  /** A bit that has changed on the disk, without anybody writing. */
  overwrite(offset: number, bytes: Uint8Array): void {
    this.platter.write(offset, bytes);
  }
}

function carryOut(image: Image, change: Change): void {
  if (change.kind === "write") image.write(change.offset, change.bytes);
  else image.truncate(change.size);
}

/** Which part of the pending changes has reached the disk by chance; sectors of one write independently of each other. */
function survivors(pending: readonly Change[], random: Random): Change[] {
  const fate = random.int(4);
  if (fate === 0) return [];
  if (fate === 1) return [...pending];
  if (fate === 2) {
    const count = random.int(pending.length + 1);
    const torn = pending.slice(count, count + 1).flatMap((change) => tear(change, random));
    return [...pending.slice(0, count), ...torn];
  }
  const kept = pending.map((change) => (random.chance(0.5) ? tear(change, random) : []));
  // The file system's journal keeps its order: no write into blocks that were allocated after a truncation outlives it.
  const last = kept.findLastIndex((changes) => changes.length > 0);
  return pending.flatMap((change, index) =>
    change.kind === "truncate" && index < last ? [change] : (kept[index] ?? []),
  );
}

/** Whole, or some sectors of it: a run of them, or any. */
function tear(change: Change, random: Random): Change[] {
  const fate = random.int(3);
  if (change.kind === "truncate" || fate === 0) return [change];
  const sectors = [...sectorsOf(change.offset, change.bytes)];
  if (fate === 1) return sectors.slice(0, random.int(sectors.length + 1));
  return sectors.filter(() => random.chance(0.5));
}

function* sectorsOf(offset: number, bytes: Buffer): Generator<Change> {
  for (let start = offset; start < offset + bytes.length;) {
    const end = Math.min(offset + bytes.length, (Math.floor(start / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    yield { kind: "write", offset: start, bytes: bytes.subarray(start - offset, end - offset) };
    start = end;
  }
}
