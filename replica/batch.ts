import { TailraceError } from "../shared/errors.ts";
import type { StatePoint } from "../shared/format/position.ts";
import { alignedBuffer } from "../shared/format/wal.ts";
import { FragmentReader } from "../shared/log/fragment-reader.ts";
import type { PlacedFragment } from "../shared/log/fragment-reader.ts";
import { LogChain } from "../shared/log/log-chain.ts";
import { MAX_BATCH_IMAGE_BYTES, decideMerge } from "../shared/plan/merge.ts";
import type { Cursor, PageNumber, Txid } from "../shared/units.ts";

const FIRST_ARENA_BYTES = 1 << 20;
/** A database cannot grow by pages that are not there, but for so much: SQLite takes more for damage, and so do we. */
const MAX_HOLE_BYTES = 64 * 1024;

/** Whole records that become one commit. */
export interface Batch {
  readonly from: StatePoint;
  readonly to: StatePoint;
  readonly records: number;
  readonly commitTimeMs: number;
  readonly epoch: number;
  /**
   * The last image of each page, as offsets into `images`; undefined when they do not fit into memory: then the log
   * from `from.cursor` to `to.cursor` is read once more while it is applied.
   */
  readonly pages: ReadonlyMap<PageNumber, number> | undefined;
  readonly images: Buffer;
}

/**
 * Gathers whole records of the log copy into batches. Verifies on the way that each record is undamaged and follows
 * from the one before; holds at most {@link MAX_BATCH_IMAGE_BYTES} of images.
 */
export class BatchReader {
  private readonly reader: FragmentReader;
  private readonly chain: LogChain;
  private readonly pageSizeBytes: number;
  /** The state before the batch being gathered. */
  private from: StatePoint;
  /** The state after its last whole record. */
  private to: StatePoint;
  private records = 0;
  private commitTimeMs = 0;
  private epoch: number;
  private pages = new Map<PageNumber, number>();
  private arena = alignedBuffer(FIRST_ARENA_BYTES);
  /** Bytes of the arena that belong to whole records, and to those and the record being read. */
  private wholeBytes = 0;
  private usedBytes = 0;
  /** Page images in the record being read so far. */
  private recordPages = 0;
  /** Pages of the record being read, in order, from `wholeBytes` on. */
  private open: PageNumber[] = [];
  private isStreaming = false;
  /** Read, but waiting for the batch before it to go. */
  private held: PlacedFragment | undefined;

  constructor(options: {
    readonly folder: string;
    readonly pageSizeBytes: number;
    /** Of the log that is to be there. */
    readonly logId: string;
    readonly start: StatePoint;
    readonly epoch: number;
    readonly end: () => Cursor;
  }) {
    const { folder, pageSizeBytes, logId, start, epoch, end } = options;
    this.pageSizeBytes = pageSizeBytes;
    this.from = start;
    this.to = start;
    this.epoch = epoch;
    this.chain = LogChain.at(pageSizeBytes, { ...start, epoch });
    this.reader = new FragmentReader({
      folder,
      start: start.cursor,
      end,
      onSegment: (header) => {
        const wrong =
          header.logId === logId ? this.chain.refusesSegment(header) : `it belongs to log ${header.logId}`;
        if (wrong !== undefined) throw brokenChain(this.reader.position, wrong);
      },
    });
  }

  /**
   * The next batch; its buffers are good until the next call.
   *
   * @param until the last transaction wanted in it
   * @returns undefined when no record is whole yet; ask again when the log has grown
   * @throws damaged, diverged
   */
  next(until: Txid = Infinity): Batch | undefined {
    this.begin();
    for (;;) {
      if (this.records > 0 && this.to.txid >= until) break;
      const placed = this.held ?? this.reader.next();
      this.held = placed;
      if (placed === undefined) break;
      const { fragment } = placed;
      const bytes = this.usedBytes - this.wholeBytes + fragment.images.length;
      const decision = this.isStreaming
        ? "stream"
        : decideMerge({ records: this.records, imageBytes: this.wholeBytes }, bytes);
      if (decision === "close") break;
      this.held = undefined;
      const wrong = this.chain.refuses(fragment) ?? this.refusesGrowth(placed);
      if (wrong !== undefined) throw brokenChain(placed.start, wrong);
      this.chain.take(fragment);
      this.recordPages += fragment.pageCount;
      if (decision === "stream") this.isStreaming = true;
      else this.keep(placed);
      if (fragment.databasePageCount > 0) this.complete(placed);
      if (this.isStreaming && this.records > 0) break;
    }
    return this.records === 0 ? undefined : this.batch();
  }

  close(): void {
    this.reader.close();
  }

  /** Drops the batch handed out before; images of a record that is not whole yet stay. */
  private begin(): void {
    if (this.records === 0) return;
    this.arena.copyWithin(0, this.wholeBytes, this.usedBytes);
    this.usedBytes -= this.wholeBytes;
    this.wholeBytes = 0;
    this.pages = new Map();
    this.records = 0;
    this.isStreaming = false;
    this.from = this.to;
  }

  /** What is wrong with the database size that a record ends with; undefined when its pages are there. */
  private refusesGrowth({ fragment }: PlacedFragment): string | undefined {
    const { databasePageCount, pageCount, txid } = fragment;
    // The lock page is in no record.
    const holes = MAX_HOLE_BYTES / this.pageSizeBytes + 1;
    const most = this.to.pageCount + this.recordPages + pageCount + holes;
    if (databasePageCount <= most) return undefined;
    return `transaction ${txid} makes a database of ${databasePageCount} pages of ${this.to.pageCount}, without their content`;
  }

  private keep({ fragment }: PlacedFragment): void {
    const { images, pageNumbers } = fragment;
    const needed = this.usedBytes + images.length;
    if (needed > this.arena.length) {
      const larger = alignedBuffer(Math.min(Math.max(needed, 2 * this.arena.length), MAX_BATCH_IMAGE_BYTES));
      this.arena.copy(larger, 0, 0, this.usedBytes);
      this.arena = larger;
    }
    images.copy(this.arena, this.usedBytes);
    this.usedBytes = needed;
    this.open.push(...pageNumbers);
  }

  private complete({ fragment, end }: PlacedFragment): void {
    if (!this.isStreaming) {
      this.open.forEach((page, index) => this.pages.set(page, this.wholeBytes + index * this.pageSizeBytes));
      this.wholeBytes = this.usedBytes;
    } else {
      this.usedBytes = this.wholeBytes;
    }
    this.open = [];
    this.recordPages = 0;
    this.records += 1;
    this.commitTimeMs = fragment.commitTimeMs;
    this.epoch = fragment.epoch;
    this.to = {
      txid: fragment.txid,
      cursor: end,
      checksum: fragment.checksumAfter,
      pageCount: fragment.databasePageCount,
    };
  }

  private batch(): Batch {
    return {
      from: this.from,
      to: this.to,
      records: this.records,
      commitTimeMs: this.commitTimeMs,
      epoch: this.epoch,
      pages: this.isStreaming ? undefined : this.pages,
      images: this.arena,
    };
  }
}

function brokenChain(at: Cursor, what: string): TailraceError {
  return new TailraceError("diverged", `the log at segment ${at.segment}, offset ${at.offset}: ${what}`, {
    hint: "The replica compares its pages with the primary's and goes on from there.",
  });
}
