import { closeSync, fstatSync, openSync, statSync } from "node:fs";
import { FRAGMENT_HEADER_BYTES, decodeFragmentHeader } from "../format/record.ts";
import { SEGMENT_HEADER_BYTES } from "../format/segment.ts";
import { readAt } from "../storage/positioned-io.ts";
import type { Cursor, Txid } from "../units.ts";
import { DamagedLogError } from "./damaged-log-error.ts";
import type { LogChain } from "./log-chain.ts";
import { LogProof } from "./log-proof.ts";
import type { OnProven } from "./log-proof.ts";
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
  const sizeBytes = statSync(segmentPath(folder, newest)).size;
  const start = { segment: first, offset: 0 };
  const proof = new LogProof({ folder, logId, start, end: { segment: newest, offset: sizeBytes }, onProven });
  try {
    while (proof.step() !== undefined);
  } catch (error) {
    const { chain } = proof;
    if (chain === undefined || !isInTail(error, newest)) throw error;
    if (chain.head.txid < lackingAfter && !isLastRecord(error, folder, chain)) throw error;
  } finally {
    proof.close();
  }
  const { chain, end } = proof;
  if (chain === undefined || end.segment < newest)
    throw new DamagedLogError({ segment: newest, offset: 0 }, "the header is cut short");
  chain.abandonRecord();
  return { chain, end, tornBytes: sizeBytes - end.offset };
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
