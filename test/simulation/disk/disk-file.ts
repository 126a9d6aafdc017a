import { readSync } from "node:fs";
import type { Random } from "../core/random.ts";
import { Image } from "./image.ts";
import type { Part } from "./sqlite-writes.ts";
import { SECTOR_BYTES, WriteLog } from "./write-log.ts";

/** Compared at once; only where something differs, sector by sector. */
const BLOCK_BYTES = 8192;

let scratch = Buffer.alloc(1 << 16);

/** A file of a simulated disk: an inode. */
export class DiskFile {
  /** What processes take for its inode number. */
  readonly inode: number;
  private readonly log: WriteLog;
  /** Of the real file that stands for it. */
  realInode: number;
  size: number;
  /** Unix ms, of the machine's clock. */
  modifiedMs: number;
  changedMs: number;
  private durableTimesMs: readonly [modified: number, changed: number];
  /** What the file was when its changes were last recorded; only of files that SQLite writes. */
  private mirror: Image | undefined;

  constructor(options: { inode: number; realInode: number; bytes: Uint8Array; nowMs: number }) {
    this.inode = options.inode;
    this.realInode = options.realInode;
    this.size = options.bytes.length;
    this.modifiedMs = this.changedMs = options.nowMs;
    this.durableTimesMs = [options.nowMs, options.nowMs];
    this.log = new WriteLog(options.bytes);
  }

  get isMirrored(): boolean {
    return this.mirror !== undefined;
  }

  /** From now on {@link record} finds what others write. */
  mirrorFrom(bytes: Uint8Array): void {
    this.mirror ??= new Image(bytes);
  }

  write(offset: number, bytes: Uint8Array): void {
    this.log.write(offset, bytes);
    this.mirror?.write(offset, bytes);
    this.size = Math.max(this.size, offset + bytes.length);
  }

  truncate(size: number): void {
    this.log.truncate(size);
    this.mirror?.truncate(size);
    this.size = size;
  }

  touch(nowMs: number): void {
    this.modifiedMs = this.changedMs = nowMs;
  }

  /** The end of what was changed up to now, for {@link sync}. */
  get mark(): number {
    return this.log.mark;
  }

  /** Makes durable what was changed before the mark. */
  sync(mark: number = this.log.mark): void {
    this.log.sync(mark);
    this.durableTimesMs = [this.modifiedMs, this.changedMs];
  }

  /** What was not synced will never be, and nobody notices while the power lasts. */
  failSync(): void {
    this.log.failSync();
  }

  /** What it holds for certain after a loss of power. */
  durable(): Buffer {
    return this.log.durable();
  }

  /** What the file holds after a loss of power; its times may be old ones. Processes see it after {@link restarted}. */
  losePower(random: Random): Buffer {
    if (random.chance(0.5)) [this.modifiedMs, this.changedMs] = this.durableTimesMs;
    return this.log.losePower(random);
  }

  /** Another real file stands for it, with these bytes, which are durable. */
  restarted(realInode: number, bytes: Uint8Array): void {
    this.realInode = realInode;
    this.size = bytes.length;
    this.mirror = undefined;
  }

  /** All of it is durable as it now stands: somebody has written it while nobody looked. */
  settle(bytes: Uint8Array): void {
    this.truncate(0);
    this.write(0, bytes);
    this.sync();
  }

  /** Bytes that change on the disk, and in memory, without anybody writing. */
  flip(offset: number, bytes: Uint8Array): void {
    this.log.overwrite(offset, bytes);
    this.mirror?.write(offset, bytes);
  }

  /**
   * Records what was written to the real file without the knowledge of the disk: by SQLite.
   *
   * @param part nothing else is looked at
   * @returns whether there was any
   */
  record(descriptor: number, part: Part): boolean {
    const { mirror } = this;
    if (mirror === undefined || part.from === part.to) return false;
    // A wal-index that was made anew may count fewer frames than before: then nothing is known of what was written.
    const { from: begin, to } = part.to < part.from ? { from: 0, to: Number.POSITIVE_INFINITY } : part;
    const from = begin - (begin % BLOCK_BYTES);
    const real = readPart(descriptor, { from, to });
    const end = from + real.length;
    let hasChanged = false;
    if (to === Number.POSITIVE_INFINITY && end < mirror.size) {
      this.truncate(end);
      hasChanged = true;
    }
    const known = mirror.bytes.subarray(from);
    for (let start = 0; start < real.length; start += BLOCK_BYTES) {
      const stop = Math.min(start + BLOCK_BYTES, real.length);
      if (isSame(real, known, start, stop)) continue;
      hasChanged = true;
      for (const [first, last] of differences(real, known, start, stop))
        this.write(from + first, real.subarray(first, last));
    }
    return hasChanged;
  }

  /** Whether nobody has written to a part of the real file that the disk does not know of. */
  isAsRecorded(descriptor: number, part: Part): boolean {
    const known = this.mirror?.bytes.subarray(part.from, part.to);
    return known !== undefined && readPart(descriptor, part).equals(known);
  }
}

/** Runs of sectors. */
function differences(real: Buffer, known: Buffer, start: number, end: number): [number, number][] {
  const runs: [number, number][] = [];
  for (let sector = start; sector < end; sector += SECTOR_BYTES) {
    const stop = Math.min(sector + SECTOR_BYTES, end);
    if (isSame(real, known, sector, stop)) continue;
    const last = runs.at(-1);
    if (last?.[1] === sector) last[1] = stop;
    else runs.push([sector, stop]);
  }
  return runs;
}

function isSame(a: Buffer, b: Buffer, start: number, end: number): boolean {
  return end <= b.length && a.compare(b, start, end, start, end) === 0;
}

/** Into memory that the next call uses again. */
function readPart(descriptor: number, { from, to }: Part): Buffer {
  for (let done = 0; ;) {
    if (done === scratch.length) scratch = Buffer.concat([scratch, Buffer.alloc(scratch.length)]);
    const wanted = Math.min(scratch.length, to - from) - done;
    const size = wanted === 0 ? 0 : readSync(descriptor, scratch, done, wanted, from + done);
    done += size;
    if (size === 0) return scratch.subarray(0, done);
  }
}
