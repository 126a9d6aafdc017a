import xxhash from "xxhash-wasm";
import { fileBytes, fileRange, fileStamp } from "./read-file.ts";

const hasher = await xxhash();

const INDEX_HEADER_BYTES = 136;
const COPY_BYTES = 48;
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** What the wal-index says to whoever begins to read now. */
interface Index {
  readonly salts: string;
  readonly frames: number;
  readonly change: number;
  readonly pageCount: number;
  readonly copied: number;
  /** Which file it is, and of when, where nothing lies over it. */
  readonly stamp: string;
}

/**
 * A database as one who begins to read now sees it: the file, and over it the frames of its WAL, as the wal-index has
 * them. Read from the bytes alone, without SQLite and without the product: the witness for both.
 */
export class DatabaseImage {
  readonly file: string;
  private readonly pageSize: number;
  private bytes: Buffer = Buffer.alloc(0);
  private hashes: bigint[] = [];
  private at: Index | undefined;
  private sum = 0n;

  constructor(file: string, pageSize: number) {
    this.file = file;
    this.pageSize = pageSize;
  }

  /** XOR of the hashes of all pages, each seeded with its number. */
  get checksum(): bigint {
    return this.sum;
  }

  get pageCount(): number {
    return this.bytes.length / this.pageSize;
  }

  get pages(): Buffer {
    return this.bytes;
  }

  /** What changes with each commit; equal texts, equal states. */
  get mark(): string {
    return this.at === undefined
      ? "none"
      : `${this.at.salts}:${this.at.frames}:${this.at.change}:${this.at.stamp}`;
  }

  /** Forgets what was read: after files have been exchanged. */
  forget(): void {
    this.at = undefined;
  }

  /**
   * Reads what has changed.
   *
   * @returns false where there is nothing that could be read without recovery: no file, or no sound wal-index over frames
   */
  refresh(): boolean {
    const index = this.readIndex();
    if (index === undefined) return false;
    const { at } = this;
    const isSame =
      at !== undefined && at.salts === index.salts && at.copied === index.copied && at.stamp === index.stamp;
    if (isSame && at.change === index.change && at.frames === index.frames) return this.bytes.length > 0;
    const isLonger = isSame && at.frames > 0 && index.frames > at.frames;
    const frames = this.readFrames(isLonger ? at.frames : 0, index);
    if (frames === undefined) return false;
    if (isLonger) this.goOn(frames, index.pageCount);
    else if (!this.readAll(frames, index)) return false;
    this.at = index;
    return true;
  }

  private readIndex(): Index | undefined {
    const bytes = fileRange(`${this.file}-shm`, 0, INDEX_HEADER_BYTES);
    const isSound =
      bytes !== undefined &&
      bytes.length === INDEX_HEADER_BYTES &&
      bytes[12] === 1 &&
      bytes.compare(bytes, COPY_BYTES, 2 * COPY_BYTES, 0, COPY_BYTES) === 0;
    if (!isSound) {
      const wal = fileRange(`${this.file}-wal`, 0, 1);
      if (wal !== undefined && wal.length > 0) return undefined;
      return { salts: "", frames: 0, change: -1, pageCount: 0, copied: Math.random(), stamp: "" };
    }
    const frames = bytes.readUInt32LE(16);
    return {
      salts: bytes.toString("hex", 32, 40),
      frames,
      stamp: frames > 0 ? "" : fileStamp(this.file),
      change: bytes.readUInt32LE(8),
      pageCount: bytes.readUInt32LE(20),
      copied: bytes.readUInt32LE(96),
    };
  }

  /** @returns undefined where they are not there, or are of another WAL */
  private readFrames(after: number, { frames, salts }: Index): Buffer | undefined {
    if (frames === 0) return Buffer.alloc(0);
    const { frameBytes } = this;
    const size = (frames - after) * frameBytes;
    const wal = fileRange(`${this.file}-wal`, WAL_HEADER_BYTES + after * frameBytes, size);
    if (wal === undefined || wal.length < size) return undefined;
    const wanted = Buffer.from(salts, "hex");
    for (let at = 0; at < size; at += frameBytes)
      if (wanted.compare(wal, at + 8, at + 16) !== 0) return undefined;
    return wal;
  }

  /** The file, and the frames over it. Pages that are as they were keep their hash. */
  private readAll(wal: Buffer, index: Index): boolean {
    const file = fileBytes(this.file);
    if (file === undefined || file.length < 100) return false;
    const pageCount = index.frames > 0 ? index.pageCount : file.readUInt32BE(28);
    const before = this.bytes;
    this.cut(pageCount);
    this.bytes = resized(file, pageCount * this.pageSize);
    this.overlay(wal);
    for (let page = 1; page <= pageCount; page++) {
      const [start, end] = [(page - 1) * this.pageSize, page * this.pageSize];
      const isSame = end <= before.length && this.bytes.compare(before, start, end, start, end) === 0;
      if (!isSame) this.enter(page);
    }
    return pageCount > 0;
  }

  private goOn(wal: Buffer, pageCount: number): void {
    const before = this.pageCount;
    this.cut(pageCount);
    this.bytes = resized(this.bytes, pageCount * this.pageSize);
    const pages = new Set(this.overlay(wal));
    for (let page = before + 1; page <= pageCount; page++) pages.add(page);
    for (const page of pages) this.enter(page);
  }

  /** @returns the pages that it lays over others */
  private overlay(wal: Buffer): number[] {
    const { pageCount, pageSize, frameBytes } = this;
    const pages: number[] = [];
    for (let at = 0; at < wal.length; at += frameBytes) {
      const page = wal.readUInt32BE(at);
      if (page > pageCount) continue;
      wal.copy(this.bytes, (page - 1) * pageSize, at + FRAME_HEADER_BYTES, at + frameBytes);
      pages.push(page);
    }
    return pages;
  }

  /** Pages behind that are not there any more. */
  private cut(pageCount: number): void {
    for (const hash of this.hashes.splice(pageCount + 1)) this.sum ^= hash ?? 0n;
  }

  private get frameBytes(): number {
    return FRAME_HEADER_BYTES + this.pageSize;
  }

  private enter(page: number): void {
    const hash = hashPage(page, this.bytes.subarray((page - 1) * this.pageSize, page * this.pageSize));
    this.sum ^= (this.hashes[page] ?? 0n) ^ hash;
    this.hashes[page] = hash;
  }
}

/** The same bytes, cut off, or with zeros behind them. */
function resized(bytes: Buffer, size: number): Buffer {
  return bytes.length >= size
    ? bytes.subarray(0, size)
    : Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]);
}

/** XXH64 of the page, seeded with its number. */
function hashPage(page: number, bytes: Uint8Array): bigint {
  return hasher.h64Raw(bytes, BigInt(page));
}

/** Of a whole database, page after page. */
export function checksumOf(pages: Buffer, pageSize: number): bigint {
  let sum = 0n;
  for (let page = 1; page * pageSize <= pages.length; page++)
    sum ^= hashPage(page, pages.subarray((page - 1) * pageSize, page * pageSize));
  return sum;
}
