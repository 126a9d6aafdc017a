import { crc32 } from "node:zlib";
import { TailraceError, assert } from "../errors.ts";
import type { PageNumber, Txid } from "../units.ts";

/*
 * A record is one transaction. It consists of one or more fragments, so that a transaction of any size is written,
 * sent, checked and applied in bounded memory. As with the frames of SQLite's own WAL, the last fragment is the one
 * whose database size is not 0; without it the record does not exist.
 *
 *   offset  bytes  little-endian
 *        0      4  magic "TRFR"
 *        4      4  length of the whole fragment in bytes
 *        8      8  txid
 *       16      8  epoch
 *       24      8  commit time, Unix ms
 *       32      8  database checksum before this fragment
 *       40      8  database checksum after this fragment (in the last one: after the transaction)
 *       48      4  page size in bytes
 *       52      4  number of pages in this fragment
 *       56      4  database size in pages after the transaction; 0 in all fragments but the last
 *       60      4  index of this fragment in its record, from 0
 *       64      4  flags: bit 0 = a difference found by comparing pages, not one captured commit
 *       68      4  source: frames in the primary's SQLite WAL after this commit
 *       72      8  source: salts of that WAL, as they stand in its header
 *       80      8  source: checksum of that last frame, as it stands in the frame (zero where there is none)
 *       88      4  CRC-32 of everything after this header
 *       92      4  CRC-32 of bytes 0-91
 *       96    4 n  page numbers; padded with zeros to a multiple of 8
 *        …  n × p  page images, in the order of the page numbers
 *
 * Within a record a page may come again in a later fragment, never twice in one: the later image counts. Pages beyond
 * the final database size may occur before the last fragment, and do not count.
 */
export const FRAGMENT_HEADER_BYTES = 96;
/** The most page images a fragment carries, in bytes: what a reader has to hold at once. */
export const MAX_FRAGMENT_IMAGE_BYTES: number = 1 << 20;
const MAX_FRAGMENT_BYTES: number =
  FRAGMENT_HEADER_BYTES + MAX_FRAGMENT_IMAGE_BYTES + (MAX_FRAGMENT_IMAGE_BYTES / 512) * 4;
const MAGIC = 0x52465254; // "TRFR"
const FLAG_DIFFERENCE = 1;
const KNOWN_FLAGS = FLAG_DIFFERENCE;

/** Where a commit stood in the primary's SQLite WAL: proof, after a restart, that nothing was missed. */
export interface WalMark {
  /** Number of frames up to and including the commit's last; 0 in an empty WAL. */
  readonly frame: number;
  /** The two salts, as 8 raw bytes in hex. */
  readonly salts: string;
  /** The last frame's checksum, as 8 raw bytes in hex. */
  readonly checksum: string;
}

export interface FragmentHeader {
  readonly txid: Txid;
  readonly epoch: number;
  readonly commitTimeMs: number;
  readonly checksumBefore: bigint;
  readonly checksumAfter: bigint;
  readonly pageSizeBytes: number;
  readonly pageCount: number;
  /** Pages in the database after the transaction; 0 unless this fragment completes its record. */
  readonly databasePageCount: number;
  readonly fragmentIndex: number;
  readonly isDifference: boolean;
  readonly source: WalMark;
  readonly lengthBytes: number;
}

/** A whole, verified fragment. The images are views into the buffer that was decoded. */
export interface Fragment extends FragmentHeader {
  readonly pageNumbers: readonly PageNumber[];
  /** `pageCount` images of `pageSizeBytes`, one after the other, 8-byte aligned relative to the fragment's start. */
  readonly images: Buffer;
}

/** Bytes from the fragment's start to its first page image. */
export function imagesOffset(pageCount: number): number {
  return FRAGMENT_HEADER_BYTES + Math.ceil(pageCount / 2) * 8;
}

export function fragmentLength(pageCount: number, pageSizeBytes: number): number {
  return imagesOffset(pageCount) + pageCount * pageSizeBytes;
}

/** The most pages that fit a fragment. */
export function maxFragmentPages(pageSizeBytes: number): number {
  return MAX_FRAGMENT_IMAGE_BYTES / pageSizeBytes;
}

/**
 * Completes a fragment in place: `bytes` is exactly as long as the fragment, and already holds the page images at
 * {@link imagesOffset}; this writes header, page numbers and checksums.
 */
export function sealFragment(
  bytes: Buffer,
  header: Omit<FragmentHeader, "lengthBytes" | "pageCount">,
  pageNumbers: readonly PageNumber[],
): void {
  const start = imagesOffset(pageNumbers.length);
  assert(
    bytes.length === fragmentLength(pageNumbers.length, header.pageSizeBytes),
    `${pageNumbers.length} pages of ${header.pageSizeBytes} bytes do not make ${bytes.length} bytes`,
  );
  bytes.fill(0, FRAGMENT_HEADER_BYTES, start);
  pageNumbers.forEach((pageNumber, index) =>
    bytes.writeUInt32LE(pageNumber, FRAGMENT_HEADER_BYTES + index * 4),
  );
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.writeBigUInt64LE(BigInt(header.txid), 8);
  bytes.writeBigUInt64LE(BigInt(header.epoch), 16);
  bytes.writeBigUInt64LE(BigInt(header.commitTimeMs), 24);
  bytes.writeBigUInt64LE(header.checksumBefore, 32);
  bytes.writeBigUInt64LE(header.checksumAfter, 40);
  bytes.writeUInt32LE(header.pageSizeBytes, 48);
  bytes.writeUInt32LE(pageNumbers.length, 52);
  bytes.writeUInt32LE(header.databasePageCount, 56);
  bytes.writeUInt32LE(header.fragmentIndex, 60);
  bytes.writeUInt32LE(header.isDifference ? FLAG_DIFFERENCE : 0, 64);
  bytes.writeUInt32LE(header.source.frame, 68);
  assert(bytes.write(header.source.salts, 72, 8, "hex") === 8, `salts ${header.source.salts}`);
  assert(bytes.write(header.source.checksum, 80, 8, "hex") === 8, `checksum ${header.source.checksum}`);
  bytes.writeUInt32LE(crc32(bytes.subarray(FRAGMENT_HEADER_BYTES)), 88);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 92)), 92);
}

/**
 * Reads a fragment's header.
 *
 * @param bytes at least {@link FRAGMENT_HEADER_BYTES}, from the fragment's first
 * @throws damaged; unknown_version when a later Tailrace wrote it
 */
export function decodeFragmentHeader(bytes: Buffer): FragmentHeader {
  if (bytes.readUInt32LE(0) !== MAGIC) throw new TailraceError("damaged", "not a record: wrong magic");
  if (bytes.readUInt32LE(92) !== crc32(bytes.subarray(0, 92))) {
    throw new TailraceError("damaged", "record header does not match its checksum");
  }
  const header: FragmentHeader = {
    lengthBytes: bytes.readUInt32LE(4),
    txid: Number(bytes.readBigUInt64LE(8)),
    epoch: Number(bytes.readBigUInt64LE(16)),
    commitTimeMs: Number(bytes.readBigUInt64LE(24)),
    checksumBefore: bytes.readBigUInt64LE(32),
    checksumAfter: bytes.readBigUInt64LE(40),
    pageSizeBytes: bytes.readUInt32LE(48),
    pageCount: bytes.readUInt32LE(52),
    databasePageCount: bytes.readUInt32LE(56),
    fragmentIndex: bytes.readUInt32LE(60),
    isDifference: (bytes.readUInt32LE(64) & FLAG_DIFFERENCE) !== 0,
    source: {
      frame: bytes.readUInt32LE(68),
      salts: bytes.toString("hex", 72, 80),
      checksum: bytes.toString("hex", 80, 88),
    },
  };
  const flags = bytes.readUInt32LE(64);
  if ((flags & ~KNOWN_FLAGS) !== 0) {
    throw new TailraceError(
      "unknown_version",
      `record of transaction ${header.txid} has flags 0x${flags.toString(16)}, this build knows 0x${KNOWN_FLAGS.toString(16)}`,
      { hint: "Use the version of Tailrace that wrote it, or a later one." },
    );
  }
  const { pageSizeBytes, pageCount, lengthBytes } = header;
  if (
    !isPageSize(pageSizeBytes) ||
    lengthBytes > MAX_FRAGMENT_BYTES ||
    lengthBytes !== fragmentLength(pageCount, pageSizeBytes) ||
    !Number.isSafeInteger(header.txid) ||
    !Number.isSafeInteger(header.epoch) ||
    !Number.isSafeInteger(header.commitTimeMs)
  ) {
    throw new TailraceError(
      "damaged",
      `record header makes no sense: ${pageCount} pages of ${pageSizeBytes} bytes in ${lengthBytes} bytes`,
    );
  }
  return header;
}

/**
 * Reads and verifies a whole fragment.
 *
 * @param bytes from the fragment's first byte; may be longer than the fragment
 * @returns undefined when the fragment is not all there yet
 * @throws damaged; unknown_version when a later Tailrace wrote it
 */
export function decodeFragment(bytes: Buffer): Fragment | undefined {
  if (bytes.length < FRAGMENT_HEADER_BYTES) return undefined;
  const header = decodeFragmentHeader(bytes);
  if (bytes.length < header.lengthBytes) return undefined;
  if (bytes.readUInt32LE(88) !== crc32(bytes.subarray(FRAGMENT_HEADER_BYTES, header.lengthBytes))) {
    throw new TailraceError("damaged", `record of transaction ${header.txid} does not match its checksum`);
  }
  const pageNumbers: PageNumber[] = Array.from({ length: header.pageCount });
  for (let index = 0; index < header.pageCount; index++) {
    const pageNumber = bytes.readUInt32LE(FRAGMENT_HEADER_BYTES + index * 4);
    if (pageNumber === 0)
      throw new TailraceError("damaged", `record of transaction ${header.txid} names page 0`);
    pageNumbers[index] = pageNumber;
  }
  if (new Set(pageNumbers).size < header.pageCount)
    throw new TailraceError("damaged", `record of transaction ${header.txid} has a page twice in a fragment`);
  if (header.pageCount % 2 === 1 && bytes.readUInt32LE(FRAGMENT_HEADER_BYTES + header.pageCount * 4) !== 0)
    throw new TailraceError("damaged", `record of transaction ${header.txid} has padding that is not zero`);
  return {
    ...header,
    pageNumbers,
    images: bytes.subarray(imagesOffset(header.pageCount), header.lengthBytes),
  };
}

/** Whether SQLite allows this page size: a power of two from 512 to 65536. */
export function isPageSize(bytes: number): boolean {
  return Number.isInteger(bytes) && bytes >= 512 && bytes <= 65536 && (bytes & (bytes - 1)) === 0;
}
