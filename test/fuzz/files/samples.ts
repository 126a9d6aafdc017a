import { NO_MARK } from "../../../shared/format/position.ts";
import type { Position, StatePoint } from "../../../shared/format/position.ts";
import type { FragmentHeader } from "../../../shared/format/record.ts";
import type { SegmentHeader } from "../../../shared/format/segment.ts";
import type { FlushedMark } from "../../../shared/pages/page-table-header.ts";
import { encodeFragment } from "../../harness/fragments.ts";

const LOG_ID = "0123456789abcdef0123456789abcdef";

export const aSegmentHeader: SegmentHeader = {
  pageSizeBytes: 4096,
  logId: LOG_ID,
  epoch: 1,
  segment: 1,
  firstTxid: 1,
  checksumBefore: 0x0123456789abcdefn,
  createdMs: 1_700_000_000_000,
  pageCountBefore: 2,
};

const aState: StatePoint = {
  txid: 12,
  cursor: { segment: 2, offset: 4096 },
  checksum: 0xfedcba9876543210n,
  pageCount: 40,
};

export const aPosition: Position = {
  pageSizeBytes: 4096,
  logId: LOG_ID,
  epoch: 1,
  applied: aState,
  intent: aState,
  floor: { ...aState, txid: 10 },
  left: { change: 7, frame: 9, salts: "0011223344556677", checksum: "8899aabbccddeeff" },
  intended: NO_MARK,
  phase: "following",
  isClean: true,
  isStamped: false,
  stamp: { sizeBytes: 4096n, modifiedNs: 1n, changedNs: 2n, device: 3n, inode: 4n },
  bootId: LOG_ID,
  commitTimeMs: 1_700_000_000_000,
};

export const aTableMark: FlushedMark = {
  txid: 12,
  cursor: { segment: 2, offset: 4096 },
  pageCount: 40,
  checksum: 0xfedcba9876543210n,
};

/** A fragment of these pages; the last of its record where there is a database size. */
export function aFragment(
  pageNumbers: readonly number[],
  pageSizeBytes: number,
  databasePageCount: number,
): Buffer {
  const header: Omit<FragmentHeader, "lengthBytes" | "pageCount"> = {
    txid: 1,
    epoch: 1,
    commitTimeMs: 1_700_000_000_000,
    checksumBefore: 1n,
    checksumAfter: 2n,
    pageSizeBytes,
    databasePageCount,
    fragmentIndex: 0,
    isDifference: false,
    source: { frame: 3, salts: "0011223344556677", checksum: "8899aabbccddeeff" },
  };
  return encodeFragment({ header, pageNumbers, images: Buffer.alloc(pageNumbers.length * pageSizeBytes, 7) });
}
