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
  private bytes = Buffer.alloc(0);
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
    if (!isLonger && !this.readAll(index)) return false;
    if (index.frames > 0 && !this.overlay(isLonger ? at.frames : 0, index)) return false;
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

  private readAll(index: Index): boolean {
    const file = fileBytes(this.file);
    if (file === undefined || file.length < 100) return false;
    const pageCount = index.frames > 0 ? index.pageCount : file.readUInt32BE(28);
    this.bytes = Buffer.alloc(pageCount * this.pageSize);
    file.copy(this.bytes, 0, 0, Math.min(file.length, this.bytes.length));
    this.hashes = [];
    this.sum = 0n;
    for (let page = 1; page <= pageCount; page++) this.enter(page);
    return pageCount > 0;
  }

  private overlay(after: number, { frames, pageCount, salts }: Index): boolean {
    const frameBytes = FRAME_HEADER_BYTES + this.pageSize;
    const wal = fileRange(
      `${this.file}-wal`,
      WAL_HEADER_BYTES + after * frameBytes,
      (frames - after) * frameBytes,
    );
    if (wal === undefined || wal.length < (frames - after) * frameBytes) return false;
    this.resize(pageCount);
    for (let offset = 0; offset < wal.length; offset += frameBytes) {
      if (wal.toString("hex", offset + 8, offset + 16) !== salts) return false;
      const page = wal.readUInt32BE(offset);
      if (page > pageCount) continue;
      wal.copy(this.bytes, (page - 1) * this.pageSize, offset + FRAME_HEADER_BYTES, offset + frameBytes);
      this.enter(page);
    }
    return true;
  }

  private resize(pageCount: number): void {
    const before = this.pageCount;
    for (let page = pageCount + 1; page <= before; page++) this.sum ^= this.hashes[page] ?? 0n;
    if (pageCount <= before) {
      this.bytes = this.bytes.subarray(0, pageCount * this.pageSize);
      this.hashes.length = pageCount + 1;
      return;
    }
    this.bytes = Buffer.concat([this.bytes, Buffer.alloc((pageCount - before) * this.pageSize)]);
    for (let page = before + 1; page <= pageCount; page++) this.enter(page);
  }

  private enter(page: number): void {
    const hash = hashPage(page, this.bytes.subarray((page - 1) * this.pageSize, page * this.pageSize));
    this.sum ^= (this.hashes[page] ?? 0n) ^ hash;
    this.hashes[page] = hash;
  }
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
