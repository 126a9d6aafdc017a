import { crc32 } from "node:zlib";
import { TailraceError, assert } from "../errors.ts";
import type { Txid } from "../units.ts";
import { isPageSize } from "./record.ts";

/*
 * A segment is one file of the log: this header, then whole records one after the other. A record never crosses into
 * the next segment, so a segment can grow past its target size by one transaction.
 *
 *   offset  bytes  little-endian
 *        0      8  magic "TAILRACE"
 *        8      4  format version, 1
 *       12      4  page size in bytes
 *       16     16  log id
 *       32      8  epoch
 *       40      8  segment number, from 1
 *       48      8  txid of the first record
 *       56      8  database checksum before the first record
 *       64      8  created, Unix ms
 *       72      4  database size in pages before the first record
 *       76      4  CRC-32 of bytes 0-75
 */
export const SEGMENT_HEADER_BYTES = 80;
export const LOG_FORMAT_VERSION = 1;

const MAGIC = Buffer.from("TAILRACE", "latin1");

export interface SegmentHeader {
  readonly pageSizeBytes: number;
  /** 32 hex digits. */
  readonly logId: string;
  readonly epoch: number;
  readonly segment: number;
  readonly firstTxid: Txid;
  readonly checksumBefore: bigint;
  readonly createdMs: number;
  readonly pageCountBefore: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(LOG_FORMAT_VERSION, 8);
  bytes.writeUInt32LE(header.pageSizeBytes, 12);
  assert(bytes.write(header.logId, 16, 16, "hex") === 16, `log id ${header.logId}`);
  bytes.writeBigUInt64LE(BigInt(header.epoch), 32);
  bytes.writeBigUInt64LE(BigInt(header.segment), 40);
  bytes.writeBigUInt64LE(BigInt(header.firstTxid), 48);
  bytes.writeBigUInt64LE(header.checksumBefore, 56);
  bytes.writeBigUInt64LE(BigInt(header.createdMs), 64);
  bytes.writeUInt32LE(header.pageCountBefore, 72);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 76)), 76);
  return bytes;
}

/**
 * @param bytes at least {@link SEGMENT_HEADER_BYTES}
 * @throws damaged when the bytes are no segment header; unknown_version when a later Tailrace wrote them.
 */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES) {
    throw new TailraceError(
      "damaged",
      `segment header cut short: ${bytes.length} of ${SEGMENT_HEADER_BYTES} bytes`,
    );
  }
  if (!bytes.subarray(0, 8).equals(MAGIC)) throw new TailraceError("damaged", "not a segment: wrong magic");
  if (bytes.readUInt32LE(76) !== crc32(bytes.subarray(0, 76))) {
    throw new TailraceError("damaged", "segment header does not match its checksum");
  }
  const version = bytes.readUInt32LE(8);
  if (version !== LOG_FORMAT_VERSION) {
    throw new TailraceError(
      "unknown_version",
      `segment format version ${version}, this build reads ${LOG_FORMAT_VERSION}`,
      {
        hint: "Use the version of Tailrace that wrote it, or a later one.",
      },
    );
  }
  const header: SegmentHeader = {
    pageSizeBytes: bytes.readUInt32LE(12),
    logId: bytes.toString("hex", 16, 32),
    epoch: Number(bytes.readBigUInt64LE(32)),
    segment: Number(bytes.readBigUInt64LE(40)),
    firstTxid: Number(bytes.readBigUInt64LE(48)),
    checksumBefore: bytes.readBigUInt64LE(56),
    createdMs: Number(bytes.readBigUInt64LE(64)),
    pageCountBefore: bytes.readUInt32LE(72),
  };
  const { pageSizeBytes, segment } = header;
  const numbers = [header.epoch, segment, header.firstTxid, header.createdMs];
  if (!isPageSize(pageSizeBytes) || segment < 1 || !numbers.every(Number.isSafeInteger)) {
    throw new TailraceError(
      "damaged",
      `segment header makes no sense: segment ${segment} with pages of ${pageSizeBytes} bytes`,
    );
  }
  return header;
}
