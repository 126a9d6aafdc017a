import { asTailraceError } from "../errors.ts";
import { compareCursors } from "../format/cursor.ts";
import type { SegmentHeader } from "../format/segment.ts";
import { DamagedLogError } from "../log/damaged-log-error.ts";
import { LogProof } from "../log/log-proof.ts";
import { readSegmentHeader } from "../log/segment-files.ts";
import type { DamagedSegment } from "./verification-status.ts";
import { causeText } from "../storage/storage-error.ts";
import { systemCode } from "../system-error.ts";
import type { Cursor, Txid } from "../units.ts";

/** A part of a log on disk, all of it durable. */
export interface LogStretch {
  /** The folder of segments. */
  readonly folder: string;
  readonly logId: string;
  /** The first byte of a segment or of a record. */
  readonly start: Cursor;
  /** The end of a record, or of a segment. */
  readonly end: Cursor;
  /** The newest transaction before the end. */
  readonly headTxid: Txid;
}

/**
 * Reads and proves a stretch of the log, fragment by fragment.
 *
 * @yields the bytes of each
 * @returns the first place from which nothing can be read on; null where there is none
 * @throws storage_failed where it is not the log that is bad; unknown_version
 */
export function* scanLog(stretch: LogStretch): Generator<number, DamagedSegment | null, void> {
  const proof = new LogProof(stretch);
  try {
    for (let placed = proof.step(); placed !== undefined; placed = proof.step())
      yield placed.fragment.lengthBytes;
    const isWhole =
      compareCursors(proof.position, stretch.end) >= 0 && (proof.chain?.openFragments ?? 0) === 0;
    return isWhole ? null : damageAt(stretch, proof, proof.position, "the log is cut short");
  } catch (error) {
    if (error instanceof DamagedLogError)
      return missingBefore(stretch, proof, error) ?? damageAt(stretch, proof, error.at, error.what);
    const what = ungiven(error);
    if (what === undefined) throw error;
    return damageAt(stretch, proof, proof.position, what);
  } finally {
    proof.close();
  }
}

/** What is behind it in its segment is not looked at: where one place is bad, others may be. */
function damageAt(
  { folder, end, headTxid }: LogStretch,
  proof: LogProof,
  at: Cursor,
  what: string,
): DamagedSegment {
  const { segment, offset } = at;
  const firstTxid = proof.chain === undefined ? null : proof.chain.head.txid + 1;
  const lastTxid = segment < end.segment ? txidBefore(folder, segment + 1) : headTxid;
  return { segment, offset, what, firstTxid, lastTxid };
}

/** Where a segment has lost its end at a border of records, the next one shows it, and is sound itself. */
function missingBefore(
  { folder, logId }: LogStretch,
  { chain, end }: LogProof,
  { at }: DamagedLogError,
): DamagedSegment | undefined {
  if (chain === undefined || at.offset > 0 || at.segment !== end.segment + 1) return undefined;
  const firstTxid = chain.head.txid + 1;
  const header = soundHeader(folder, at.segment);
  if (header?.logId !== logId || header.segment !== at.segment || header.firstTxid <= firstTxid)
    return undefined;
  return { ...end, what: "the segment is cut short", firstTxid, lastTxid: header.firstTxid - 1 };
}

function txidBefore(folder: string, segment: number): Txid | null {
  const header = soundHeader(folder, segment);
  return header === undefined ? null : header.firstTxid - 1;
}

/** Undefined where it is bad as well, which is told of by itself. */
function soundHeader(folder: string, segment: number): SegmentHeader | undefined {
  try {
    return readSegmentHeader(folder, segment);
  } catch {
    return undefined;
  }
}

/** What the system says of bytes that the disk does not give back; undefined of any other error. */
function ungiven(error: unknown): string | undefined {
  const { cause, code } = asTailraceError(error);
  if (code !== "storage_failed") return undefined;
  if (systemCode(cause) === "ENOENT") return "the file is missing";
  return systemCode(cause) === "EIO" ? `the disk does not give it back (${causeText(cause)})` : undefined;
}
