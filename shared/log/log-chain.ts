import type { FragmentHeader, WalMark } from "../format/record.ts";
import type { SegmentHeader } from "../format/segment.ts";
import type { Txid } from "../units.ts";

/** The state of the log after its last whole record. */
export interface LogHead {
  readonly txid: Txid;
  readonly checksum: bigint;
  readonly pageCount: number;
  readonly epoch: number;
  /** Unix ms; null when the log holds no record. */
  readonly commitTimeMs: number | null;
  /** Where the last record's commit stood in the SQLite WAL; undefined when the log holds no record. */
  readonly source: WalMark | undefined;
}

/**
 * Proves that fragments follow from one another: txids are dense, each database checksum begins where the one before
 * ended, epochs never fall, and a record's fragments are numbered from 0.
 */
export class LogChain {
  readonly pageSizeBytes: number;
  /** After the last whole record. */
  head: LogHead;
  /** Number of fragments seen of a record that is not whole yet. */
  openFragments = 0;
  private runningChecksum: bigint;

  constructor(pageSizeBytes: number, head: LogHead) {
    this.pageSizeBytes = pageSizeBytes;
    this.head = head;
    this.runningChecksum = head.checksum;
  }

  /** At a state of which nothing more is known: no record that leads there was seen. */
  static at(
    pageSizeBytes: number,
    { txid, checksum, pageCount, epoch }: Omit<LogHead, "commitTimeMs" | "source">,
  ): LogChain {
    const state = { txid, checksum, pageCount, epoch };
    return new LogChain(pageSizeBytes, { ...state, commitTimeMs: null, source: undefined });
  }

  /** Where a segment begins: what comes before it is gone, and taken for granted. */
  static beforeSegment({ pageSizeBytes, firstTxid, ...header }: SegmentHeader): LogChain {
    const { checksumBefore: checksum, pageCountBefore: pageCount, epoch } = header;
    return LogChain.at(pageSizeBytes, { txid: firstTxid - 1, checksum, pageCount, epoch });
  }

  /** Where a record begins within a segment: it does not say how many pages there were, nor of which epoch. */
  static beforeRecord({ pageSizeBytes, txid, checksumBefore: checksum }: FragmentHeader): LogChain {
    return LogChain.at(pageSizeBytes, { txid: txid - 1, checksum, pageCount: 0, epoch: 0 });
  }

  /** What is wrong with a fragment that comes next; undefined when it follows. */
  refuses(fragment: FragmentHeader): string | undefined {
    const { head, openFragments, runningChecksum, pageSizeBytes } = this;
    if (fragment.pageSizeBytes !== pageSizeBytes)
      return `pages of ${fragment.pageSizeBytes} bytes in a log of ${pageSizeBytes}`;
    if (fragment.txid !== head.txid + 1) return `transaction ${fragment.txid} follows ${head.txid}`;
    if (fragment.fragmentIndex !== openFragments)
      return `fragment ${fragment.fragmentIndex} of transaction ${fragment.txid}, expected ${openFragments}`;
    if (fragment.epoch < head.epoch) return `epoch ${fragment.epoch} follows ${head.epoch}`;
    if (fragment.checksumBefore !== runningChecksum)
      return `transaction ${fragment.txid} does not begin where the one before ended`;
    return undefined;
  }

  /** Moves on by a fragment that {@link refuses} nothing about. */
  take(fragment: FragmentHeader): void {
    this.runningChecksum = fragment.checksumAfter;
    this.openFragments += 1;
    if (fragment.databasePageCount === 0) return;
    this.openFragments = 0;
    this.head = {
      txid: fragment.txid,
      checksum: fragment.checksumAfter,
      pageCount: fragment.databasePageCount,
      epoch: fragment.epoch,
      commitTimeMs: fragment.commitTimeMs,
      source: fragment.source,
    };
  }

  /** What is wrong with a segment that begins here; undefined when it follows. */
  refusesSegment(header: SegmentHeader): string | undefined {
    const { head } = this;
    if (this.openFragments > 0) return `it begins within transaction ${head.txid + 1}`;
    if (header.pageSizeBytes !== this.pageSizeBytes)
      return `pages of ${header.pageSizeBytes} bytes in a log of ${this.pageSizeBytes}`;
    if (header.firstTxid !== head.txid + 1)
      return `it begins with transaction ${header.firstTxid}, after ${head.txid}`;
    if (header.checksumBefore !== head.checksum || header.pageCountBefore !== head.pageCount)
      return `it does not begin where transaction ${head.txid} ended`;
    if (header.epoch < head.epoch) return `epoch ${header.epoch} follows ${head.epoch}`;
    return undefined;
  }

  /** Forgets the fragments of a record that will not be completed. */
  abandonRecord(): void {
    this.openFragments = 0;
    this.runningChecksum = this.head.checksum;
  }
}
