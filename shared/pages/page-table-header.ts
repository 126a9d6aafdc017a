import { crc32 } from "node:zlib";
import type { Cursor, DatabaseChecksum, Txid } from "../units.ts";

/*
 * The page table file: this header in a block of its own, then 8 bytes a page.
 *
 *   offset  bytes  little-endian
 *        0      8  magic "TRPAGES", 0
 *        8      4  format version, 1
 *       12      4  database size in pages at the mark
 *       16      8  txid of the mark
 *       24      8  log cursor after that transaction: segment
 *       32      8  … and offset
 *       40      8  database checksum at the mark
 *       48     12  reserved, 0
 *       60      4  CRC-32 of bytes 0-59
 *       64         zeros up to 4096
 *     4096    8 n  hash of page 1, 2, 3 …; 0 where there is none (the lock page)
 */
export const PAGE_TABLE_HEADER_BYTES = 64;
/** Entries begin on a block boundary, so that writing a block of them touches neither header nor neighbour. */
export const PAGE_TABLE_ENTRIES_OFFSET = 4096;
const MAGIC = "TRPAGES\0";
const VERSION = 1;
/** Txid and cursor: of 64 bits on disk, and safe integers in memory. */
const NUMBERS_AT = [16, 24, 32];

/** A state that the whole table stood for when it was last flushed. */
export interface TableMark {
  readonly txid: Txid;
  /** The log byte after that transaction. */
  readonly cursor: Cursor;
}

export interface FlushedMark extends TableMark {
  readonly pageCount: number;
  readonly checksum: DatabaseChecksum;
}

export function encodePageTableHeader(mark: FlushedMark): Buffer {
  const bytes = Buffer.alloc(PAGE_TABLE_HEADER_BYTES);
  bytes.write(MAGIC, 0, "latin1");
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUInt32LE(mark.pageCount, 12);
  bytes.writeBigUInt64LE(BigInt(mark.txid), 16);
  bytes.writeBigUInt64LE(BigInt(mark.cursor.segment), 24);
  bytes.writeBigUInt64LE(BigInt(mark.cursor.offset), 32);
  bytes.writeBigUInt64LE(mark.checksum, 40);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/** @returns undefined when the bytes are no such header, or one of a version that this build does not know */
export function decodePageTableHeader(bytes: Buffer): FlushedMark | undefined {
  if (bytes.length < PAGE_TABLE_HEADER_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) return undefined;
  if (bytes.readUInt32LE(60) !== crc32(bytes.subarray(0, 60))) return undefined;
  if (bytes.readUInt32LE(8) !== VERSION) return undefined;
  if (NUMBERS_AT.some((at) => bytes.readBigUInt64LE(at) > BigInt(Number.MAX_SAFE_INTEGER))) return undefined;
  const mark = {
    pageCount: bytes.readUInt32LE(12),
    txid: Number(bytes.readBigUInt64LE(16)),
    cursor: { segment: Number(bytes.readBigUInt64LE(24)), offset: Number(bytes.readBigUInt64LE(32)) },
    checksum: bytes.readBigUInt64LE(40),
  };
  // Whatever says more than this version would write was written by none.
  return encodePageTableHeader(mark).equals(bytes.subarray(0, PAGE_TABLE_HEADER_BYTES)) ? mark : undefined;
}
