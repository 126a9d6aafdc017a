import { TailraceError } from "../errors.ts";
import { hex32 } from "../units.ts";
import type { PageNumber } from "../units.ts";
import { isPageSize } from "./record.ts";

/*
 * SQLite's WAL file (https://www.sqlite.org/fileformat2.html#the_write_ahead_log), big-endian:
 *
 *   header, 32 bytes                                 frame header, 24 bytes, then the page
 *     0  magic 0x377f0682 | 1 = big-endian checksums   0  page number
 *     4  version 3007000                               4  database size in pages if a commit, else 0
 *     8  page size                                     8  salt-1, salt-2 (copied from the header)
 *    12  checkpoint sequence                          16  checksum over bytes 0-7 and the page,
 *    16  salt-1 (grows by 1 at each restart)              seeded with the frame's before (or the header's)
 *    20  salt-2 (random at each restart)
 *    24  checksum over bytes 0-23
 */
export const WAL_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;
const VERSION = 3007000;

export interface WalHeader {
  readonly pageSizeBytes: number;
  readonly checkpointSequence: number;
  /** The two salts, as 8 raw bytes in hex. */
  readonly salts: string;
  readonly isBigEndianChecksum: boolean;
  /** The header's own checksum: the seed of frame 1. 8 raw bytes in hex. */
  readonly checksum: string;
}

/** Byte offset of a frame (from 1) in the WAL file. */
export function frameOffset(frame: number, pageSizeBytes: number): number {
  return WAL_HEADER_BYTES + (frame - 1) * (FRAME_HEADER_BYTES + pageSizeBytes);
}

/** Salt-1, the one that grows by 1 each time the WAL restarts. */
export function salt1(salts: string): number {
  return Number.parseInt(salts.slice(0, 8), 16);
}

/** SQLite's running checksum, over 32-bit words of little-endian hosts' memory. */
export class WalChecksum {
  /** Both are 32-bit; kept as signed ints for speed. */
  private s1 = 0;
  private s2 = 0;
  private readonly isBigEndian: boolean;

  /** @param seed 8 raw bytes in hex, as they stand in a frame or WAL header */
  constructor(isBigEndian: boolean, seed = "0000000000000000") {
    this.isBigEndian = isBigEndian;
    this.seed(seed);
  }

  seed(hex: string): void {
    this.s1 = Number.parseInt(hex.slice(0, 8), 16) | 0;
    this.s2 = Number.parseInt(hex.slice(8, 16), 16) | 0;
  }

  /** @param count an even number of words */
  update(words: Int32Array, from: number, count: number): void {
    let { s1, s2 } = this;
    const end = from + count;
    if (this.isBigEndian) {
      for (let i = from; i < end; i += 2) {
        s1 = (s1 + swap32(words[i]!) + s2) | 0;
        s2 = (s2 + swap32(words[i + 1]!) + s1) | 0;
      }
    } else {
      for (let i = from; i < end; i += 2) {
        s1 = (s1 + words[i]! + s2) | 0;
        s2 = (s2 + words[i + 1]! + s1) | 0;
      }
    }
    this.s1 = s1;
    this.s2 = s2;
  }

  write(bytes: Buffer, offset: number): void {
    bytes.writeInt32BE(this.s1, offset);
    bytes.writeInt32BE(this.s2, offset + 4);
  }

  matches(bytes: Buffer, offset: number): boolean {
    return bytes.readInt32BE(offset) === this.s1 && bytes.readInt32BE(offset + 4) === this.s2;
  }

  /** 8 raw bytes in hex, as they stand in a frame. */
  toString(): string {
    return hex32(this.s1) + hex32(this.s2);
  }
}

/** A view of the buffer as words. @throws internal unless the buffer starts at a multiple of 4 in its memory. */
export function wordsOf(bytes: Buffer): Int32Array {
  if (bytes.byteOffset % 4 !== 0) throw new TailraceError("internal", "buffer is not aligned to words");
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

/** A buffer whose memory is its own, so that {@link wordsOf} works on it. */
export function alignedBuffer(sizeBytes: number): Buffer<ArrayBuffer> {
  return Buffer.from(new ArrayBuffer(sizeBytes));
}

export function encodeWalHeader(header: Omit<WalHeader, "checksum" | "isBigEndianChecksum">): Buffer {
  const bytes = alignedBuffer(WAL_HEADER_BYTES);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt32BE(VERSION, 4);
  bytes.writeUInt32BE(header.pageSizeBytes, 8);
  bytes.writeUInt32BE(header.checkpointSequence, 12);
  bytes.write(header.salts, 16, "hex");
  const checksum = new WalChecksum(false);
  checksum.update(wordsOf(bytes), 0, 6);
  checksum.write(bytes, 24);
  return bytes;
}

/** @returns undefined when the bytes are no valid WAL header (an empty, cut or torn file: SQLite ignores such a WAL) */
export function decodeWalHeader(bytes: Buffer): WalHeader | undefined {
  if (bytes.length < WAL_HEADER_BYTES) return undefined;
  const magic = bytes.readUInt32BE(0);
  if ((magic & 0xfffffffe) >>> 0 !== MAGIC || bytes.readUInt32BE(4) !== VERSION) return undefined;
  const pageSizeBytes = bytes.readUInt32BE(8);
  if (!isPageSize(pageSizeBytes)) return undefined;
  const isBigEndianChecksum = (magic & 1) === 1;
  const checksum = new WalChecksum(isBigEndianChecksum);
  const copy = alignedBuffer(24);
  bytes.copy(copy, 0, 0, 24);
  checksum.update(wordsOf(copy), 0, 6);
  if (!checksum.matches(bytes, 24)) return undefined;
  return {
    pageSizeBytes,
    checkpointSequence: bytes.readUInt32BE(12),
    salts: bytes.toString("hex", 16, 24),
    isBigEndianChecksum,
    checksum: bytes.toString("hex", 24, 32),
  };
}

/**
 * Completes a frame whose page already stands at `offset` + 24, and moves the running checksum on.
 *
 * @param words {@link wordsOf} of `bytes`
 * @param offset of the frame in `bytes`; a multiple of 8
 * @param databasePageCount the database size in pages if this frame commits, else 0
 */
export function sealFrame(
  bytes: Buffer,
  words: Int32Array,
  offset: number,
  pageSizeBytes: number,
  pageNumber: PageNumber,
  databasePageCount: number,
  salts: string,
  checksum: WalChecksum,
): void {
  bytes.writeUInt32BE(pageNumber, offset);
  bytes.writeUInt32BE(databasePageCount, offset + 4);
  bytes.write(salts, offset + 8, "hex");
  checksum.update(words, offset >>> 2, 2);
  checksum.update(words, (offset + FRAME_HEADER_BYTES) >>> 2, pageSizeBytes >>> 2);
  checksum.write(bytes, offset + 16);
}

/** Whether the frame at `offset` carries the salts and continues the chain; moves the running checksum on. */
export function verifyFrame(
  bytes: Buffer,
  words: Int32Array,
  offset: number,
  pageSizeBytes: number,
  salts: string,
  checksum: WalChecksum,
): boolean {
  checksum.update(words, offset >>> 2, 2);
  checksum.update(words, (offset + FRAME_HEADER_BYTES) >>> 2, pageSizeBytes >>> 2);
  return checksum.matches(bytes, offset + 16) && bytes.toString("hex", offset + 8, offset + 16) === salts;
}

function swap32(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
