import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { FRAGMENT_HEADER_BYTES, decodeFragmentHeader } from "../format/record.ts";
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader } from "../format/segment.ts";
import type { SegmentHeader } from "../format/segment.ts";
import { readAt } from "../storage/positioned-io.ts";
import type { Cursor, Txid } from "../units.ts";
import { DamagedLogError } from "./damaged-log-error.ts";
import { FragmentReader } from "./fragment-reader.ts";
import { LogChain } from "./log-chain.ts";
import { segmentPath } from "./segment-files.ts";

const SCAN_BYTES: number = 1 << 20;
const FRAGMENT_MAGIC = Buffer.from("TRFR", "latin1");

export interface VerifiedLog {
  readonly chain: LogChain;
  /** Where the last whole record ends. */
  readonly end: Cursor;
  /** Bytes after it in the newest segment: a record that was being written when the process or the machine died. */
  readonly tornBytes: number;
}

/** Told of each state that is proven on the way: after a segment's header, and after each record. */
export type OnProven = (at: Cursor, chain: LogChain) => void;

/**
 * Reads the whole log and proves it: every header, every checksum, every step from one record to the next.
 *
 * A bad place in the newest segment is a torn tail if no fragment of a later transaction stands behind it: then only
 * the last record is concerned, and it may never have been acknowledged. Anything else that is bad is damage.
 *
 * @param segments their numbers, ascending; at least one
 * @param lackingAfter power was lost while records after this transaction were on their way to the disk, which takes them in
 *   any order: whatever is bad behind it in the newest segment is a torn tail
 * @throws DamagedLogError; unknown_version
 */
export function verifyLog(
  folder: string,
  segments: readonly number[],
  logId: string,
  onProven: OnProven = () => {},
  lackingAfter: Txid = Number.POSITIVE_INFINITY,
): VerifiedLog {
  const first = segments[0]!;
  const newest = segments.at(-1)!;
  segments.forEach((segment, index) => {
    if (segment !== first + index)
      throw new DamagedLogError({ segment: first + index, offset: 0 }, "the file is missing");
  });
  const chain = chainBefore(folder, first);
  const sizeBytes = statSync(segmentPath(folder, newest)).size;
  let recordEnd: Cursor = { segment: first, offset: 0 };

  const reader = new FragmentReader({
    folder,
    start: recordEnd,
    end: () => ({ segment: newest, offset: sizeBytes }),
    onSegment: (header) => {
      const what =
        header.logId === logId
          ? chain.refusesSegment(header)
          : `it belongs to log ${header.logId}, not ${logId}`;
      if (what !== undefined) throw new DamagedLogError({ segment: header.segment, offset: 0 }, what);
      recordEnd = { segment: header.segment, offset: SEGMENT_HEADER_BYTES };
      onProven(recordEnd, chain);
    },
  });
  try {
    for (;;) {
      const placed = reader.next();
      if (placed === undefined) break;
      const what = chain.refuses(placed.fragment);
      if (what !== undefined) throw new DamagedLogError(placed.start, what);
      chain.take(placed.fragment);
      if (chain.openFragments > 0) continue;
      recordEnd = placed.end;
      onProven(recordEnd, chain);
    }
  } catch (error) {
    if (!isInTail(error, newest)) throw error;
    if (chain.head.txid < lackingAfter && !isLastRecord(error, folder, chain)) throw error;
  } finally {
    reader.close();
  }
  if (recordEnd.segment < newest)
    throw new DamagedLogError({ segment: newest, offset: 0 }, "the header is cut short");
  chain.abandonRecord();
  return { chain, end: recordEnd, tornBytes: sizeBytes - recordEnd.offset };
}

/** A chain that the first segment present follows: what came before it is gone by retention. */
function chainBefore(folder: string, first: number): LogChain {
  const header = readSegmentHeader(folder, first);
  return new LogChain(header.pageSizeBytes, {
    txid: header.firstTxid - 1,
    checksum: header.checksumBefore,
    pageCount: header.pageCountBefore,
    epoch: header.epoch,
    commitTimeMs: null,
    source: undefined,
  });
}

function readSegmentHeader(folder: string, segment: number): SegmentHeader {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const descriptor = openSync(segmentPath(folder, segment), "r");
  try {
    return decodeSegmentHeader(bytes.subarray(0, readAt(descriptor, bytes, 0)));
  } catch (error) {
    throw DamagedLogError.at({ segment, offset: 0 }, error);
  } finally {
    closeSync(descriptor);
  }
}

function isInTail(error: unknown, newest: number): error is DamagedLogError {
  if (!(error instanceof DamagedLogError)) return false;
  return error.at.segment === newest && error.at.offset >= SEGMENT_HEADER_BYTES;
}

/** Whether an unreadable place concerns the last record alone, the one after the chain's head. */
function isLastRecord({ isUnreadable, at }: DamagedLogError, folder: string, { head }: LogChain): boolean {
  return isUnreadable && !hasLaterTransaction(segmentPath(folder, at.segment), at.offset, head.txid + 1);
}

/** Whether a valid fragment header of a transaction past `txid` stands anywhere behind the offset. */
function hasLaterTransaction(path: string, offset: number, txid: Txid): boolean {
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.allocUnsafe(Math.min(SCAN_BYTES, size) + FRAGMENT_HEADER_BYTES);
    // Each window overlaps the next by a header, so that none is missed at a border.
    for (let position = offset + 8; position < size; position += SCAN_BYTES) {
      const window = bytes.subarray(0, readAt(descriptor, bytes, position));
      for (let at = window.indexOf(FRAGMENT_MAGIC); at !== -1; at = window.indexOf(FRAGMENT_MAGIC, at + 1)) {
        if (isLater(window.subarray(at), txid)) return true;
      }
    }
    return false;
  } finally {
    closeSync(descriptor);
  }
}

function isLater(bytes: Buffer, txid: Txid): boolean {
  if (bytes.length < FRAGMENT_HEADER_BYTES) return false;
  try {
    return decodeFragmentHeader(bytes).txid > txid;
  } catch {
    return false;
  }
}
