import { TailraceError } from "../errors.ts";
import { hex32 } from "../units.ts";
import type { PageNumber } from "../units.ts";
import { isPageSize } from "./record.ts";
import { WalChecksum, alignedBuffer, wordsOf } from "./wal.ts";

/*
 * SQLite's wal-index, the -shm file (https://www.sqlite.org/walformat.html), in the host's byte order, which for every
 * host that Tailrace runs on is little-endian:
 *
 *     0  48  header, first copy            header:  0 u32 version 3007000   16 u32 mxFrame
 *    48  48  header, second copy                    8 u32 change counter    20 u32 database size in pages
 *    96   4  nBackfill                             12 u8  initialised       24 2×u32 checksum of frame mxFrame
 *   100  20  read marks 0-4                        13 u8  big-endian sums   32 8 B  salts, as in the WAL
 *   120   8  lock bytes                            14 u16 page size         40 2×u32 checksum of bytes 0-39
 *   128   4  nBackfillAttempted                           (1 = 65536)
 *
 * Then blocks of 32 KiB: 4096 page numbers (u32), and 8192 hash slots (u16). The header above takes the place of the
 * first 34 page numbers of block 0.
 */
export const WAL_INDEX_HEADER_BYTES = 136;
export const HEADER_COPY_BYTES = 48;
export const BLOCK_BYTES = 32768;
const VERSION = 3007000;
const BLOCK_FRAMES = 4096;
const FIRST_BLOCK_FRAMES = 4062;
const HASH_OFFSET = 16384;
const HASH_SLOTS = 8192;

export interface WalIndexHeader {
  /** Grows by 1 with each commit by whichever writer. */
  readonly change: number;
  /** 0 until the WAL has seen a frame. */
  readonly pageSizeBytes: number;
  readonly isBigEndianChecksum: boolean;
  /** Committed frames. */
  readonly mxFrame: number;
  readonly databasePageCount: number;
  /** Checksum of frame mxFrame, as the 8 raw bytes in the frame, in hex. */
  readonly frameChecksum: string;
  /** 8 raw bytes in hex. */
  readonly salts: string;
}

/**
 * @param bytes the first 96 bytes of the wal-index or more
 * @returns undefined when the two copies differ or do not check (a writer is between the two, so read again), or say what
 * SQLite never does
 */
export function decodeWalIndexHeader(bytes: Buffer): WalIndexHeader | undefined {
  if (bytes.length < 2 * HEADER_COPY_BYTES) return undefined;
  if (bytes.compare(bytes, HEADER_COPY_BYTES, 2 * HEADER_COPY_BYTES, 0, HEADER_COPY_BYTES) !== 0)
    return undefined;
  if (bytes.readUInt32LE(0) !== VERSION || bytes[12] !== 1) return undefined;
  if (headerChecksum(bytes).some((sum, index) => sum !== bytes.readInt32LE(40 + index * 4))) return undefined;
  const size = bytes.readUInt16LE(14);
  const pageSizeBytes = size === 1 ? 65536 : size;
  if ((pageSizeBytes !== 0 && !isPageSize(pageSizeBytes)) || bytes[13]! > 1) return undefined;
  return {
    change: bytes.readUInt32LE(8),
    pageSizeBytes,
    isBigEndianChecksum: bytes[13] === 1,
    mxFrame: bytes.readUInt32LE(16),
    databasePageCount: bytes.readUInt32LE(20),
    frameChecksum: hex32(bytes.readUInt32LE(24)) + hex32(bytes.readUInt32LE(28)),
    salts: bytes.toString("hex", 32, 40),
  };
}

/** One 48-byte copy of the header. */
export function encodeWalIndexHeader(header: WalIndexHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_COPY_BYTES);
  bytes.writeUInt32LE(VERSION, 0);
  bytes.writeUInt32LE(header.change >>> 0, 8);
  bytes[12] = 1;
  bytes[13] = header.isBigEndianChecksum ? 1 : 0;
  bytes.writeUInt16LE(header.pageSizeBytes === 65536 ? 1 : header.pageSizeBytes, 14);
  bytes.writeUInt32LE(header.mxFrame, 16);
  bytes.writeUInt32LE(header.databasePageCount, 20);
  bytes.writeUInt32LE(Number.parseInt(header.frameChecksum.slice(0, 8), 16), 24);
  bytes.writeUInt32LE(Number.parseInt(header.frameChecksum.slice(8), 16), 28);
  bytes.write(header.salts, 32, "hex");
  headerChecksum(bytes).forEach((sum, index) => bytes.writeInt32LE(sum, 40 + index * 4));
  return bytes;
}

/** Whether nobody has committed, restarted or recovered the WAL between the two. */
export function isSameHeader(a: WalIndexHeader, b: WalIndexHeader): boolean {
  return (
    a.change === b.change &&
    a.mxFrame === b.mxFrame &&
    a.salts === b.salts &&
    a.frameChecksum === b.frameChecksum &&
    a.databasePageCount === b.databasePageCount &&
    a.pageSizeBytes === b.pageSizeBytes &&
    a.isBigEndianChecksum === b.isBigEndianChecksum
  );
}

/** Frames already copied into the database file by checkpoints. @param bytes at least 100 bytes of the wal-index */
export function readBackfill(bytes: Buffer): number {
  return bytes.readUInt32LE(96);
}

/** The block (from 0) that indexes a frame (from 1). */
export function blockOf(frame: number): number {
  return Math.floor((frame - 1 + BLOCK_FRAMES - FIRST_BLOCK_FRAMES) / BLOCK_FRAMES);
}

/** The last frame before a block's first: a frame's index in its block (from 1) is frame − this. */
export function framesBefore(block: number): number {
  return block === 0 ? 0 : FIRST_BLOCK_FRAMES + (block - 1) * BLOCK_FRAMES;
}

/** One 32 KiB block of the wal-index, in memory. */
export class WalIndexBlock {
  readonly bytes: Buffer;
  readonly block: number;
  private readonly pages: Uint32Array;
  private readonly slots: Uint16Array;

  /** @param bytes from {@link alignedBuffer}, {@link BLOCK_BYTES} long */
  constructor(block: number, bytes: Buffer = alignedBuffer(BLOCK_BYTES)) {
    this.block = block;
    this.bytes = bytes;
    const skipped = block === 0 ? WAL_INDEX_HEADER_BYTES : 0;
    this.pages = new Uint32Array(bytes.buffer, bytes.byteOffset + skipped, (HASH_OFFSET - skipped) >>> 2);
    this.slots = new Uint16Array(bytes.buffer, bytes.byteOffset + HASH_OFFSET, HASH_SLOTS);
  }

  pageNumberAt(frame: number): PageNumber {
    return this.pages[frame - framesBefore(this.block) - 1] ?? 0;
  }

  /**
   * Enters a frame. The block must hold nothing at or past it ({@link truncate}).
   *
   * @throws damaged when no slot is free: a sound index always has as many free as used
   */
  insert(frame: number, pageNumber: PageNumber): void {
    const index = frame - framesBefore(this.block);
    let slot = hashSlot(pageNumber);
    for (let tried = 0; this.slots[slot] !== 0; tried++) {
      if (tried === HASH_SLOTS)
        throw new TailraceError("damaged", `block ${this.block} of the wal-index has no free slot`, {
          hint: "Something other than SQLite has changed it. Close the database everywhere: SQLite makes it anew.",
        });
      slot = (slot + 1) % HASH_SLOTS;
    }
    this.pages[index - 1] = pageNumber;
    this.slots[slot] = index;
  }

  /** The newest frame of the page that is at most `maxFrame`; 0 where the block has none. */
  find(pageNumber: PageNumber, maxFrame: number): number {
    const before = framesBefore(this.block);
    let found = 0;
    for (
      let slot = hashSlot(pageNumber), tried = 0;
      tried < HASH_SLOTS;
      slot = (slot + 1) % HASH_SLOTS, tried++
    ) {
      const index = this.slots[slot]!;
      if (index === 0) break;
      if (before + index <= maxFrame && this.pages[index - 1] === pageNumber && before + index > found)
        found = before + index;
    }
    return found;
  }

  /** Forgets every frame past `maxFrame`: what an interrupted or rolled-back writer left. */
  truncate(maxFrame: number): void {
    const kept = Math.max(0, maxFrame - framesBefore(this.block));
    for (let slot = 0; slot < HASH_SLOTS; slot++) if (this.slots[slot]! > kept) this.slots[slot] = 0;
    this.pages.fill(0, kept);
  }
}

function hashSlot(pageNumber: PageNumber): number {
  return (pageNumber * 383) & (HASH_SLOTS - 1);
}

function headerChecksum(bytes: Buffer): [number, number] {
  const copy = alignedBuffer(40);
  bytes.copy(copy, 0, 0, 40);
  const checksum = new WalChecksum(false);
  checksum.update(wordsOf(copy), 0, 10);
  const sums = Buffer.alloc(8);
  checksum.write(sums, 0);
  return [sums.readInt32BE(0), sums.readInt32BE(4)];
}
