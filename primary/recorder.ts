import { failpoint } from "../shared/failpoint.ts";
import { fragmentLength, imagesOffset, maxFragmentPages, sealFragment } from "../shared/format/record.ts";
import type { WalMark } from "../shared/format/record.ts";
import { hashPage } from "../shared/format/page-hash.ts";
import type { LogWriter } from "../shared/log/log-writer.ts";
import type { PageTable } from "../shared/pages/page-table.ts";
import { lockPage } from "../shared/units.ts";
import type { PageNumber } from "../shared/units.ts";
import type { AttachedDatabase } from "./attached-database.ts";
import { readPageAt } from "./attached-database.ts";
import type { FrameSink } from "./wal-tail.ts";

export interface RecorderOptions {
  readonly database: AttachedDatabase;
  readonly table: PageTable;
  readonly log: LogWriter;
  readonly epoch: number;
  /** Unix ms. */
  readonly clock: () => number;
}

/**
 * Makes records of pages: collects them in fragments, keeps the page table up to date with each, and appends them to
 * the log. Holds one fragment in memory, however long the transaction is.
 *
 * Invariant between transactions: the page table's checksum is the log's head checksum. When anything throws, that may
 * no longer be so, and table and log are to be opened again.
 */
export class Recorder implements FrameSink {
  private readonly options: RecorderOptions;
  private readonly pageSizeBytes: number;
  private readonly lockPage: PageNumber;
  private readonly maxPages: number;
  /** Page images from `imagesStart` on; header and page numbers of whatever length go right before them. */
  private readonly buffer: Buffer;
  private readonly imagesStart: number;
  /** The fragment's pages in order, each with its place. */
  private readonly places = new Map<PageNumber, number>();
  private fragmentIndex = 0;
  private commitTimeMs = 0;

  constructor(options: RecorderOptions) {
    const { pageSizeBytes } = options.database;
    this.pageSizeBytes = pageSizeBytes;
    this.options = options;
    this.lockPage = lockPage(pageSizeBytes);
    this.maxPages = maxFragmentPages(pageSizeBytes);
    this.imagesStart = imagesOffset(this.maxPages);
    this.buffer = Buffer.alloc(fragmentLength(this.maxPages, pageSizeBytes));
  }

  frame(pageNumber: PageNumber, image: Uint8Array): void {
    this.place(pageNumber).set(image);
  }

  commit(databasePageCount: number, mark: WalMark): void {
    this.end(databasePageCount, mark, false);
  }

  /** Ends a record of pages that were found by comparison, not in the WAL: the last fragment says so. */
  commitDifference(databasePageCount: number, mark: WalMark): void {
    this.end(databasePageCount, mark, true);
  }

  private end(databasePageCount: number, mark: WalMark, isDifference: boolean): void {
    this.addUnwritten(databasePageCount, mark);
    this.appendFragment(databasePageCount, mark, isDifference);
    this.fragmentIndex = 0;
    failpoint("capture.recorded");
  }

  /** The place of a page's image in the fragment; a page that comes again takes its own. */
  private place(pageNumber: PageNumber): Buffer {
    const { pageSizeBytes } = this;
    let place = this.places.get(pageNumber);
    if (place === undefined) {
      if (this.places.size === this.maxPages) this.appendFragment(0, NO_MARK, false);
      place = this.places.size;
      this.places.set(pageNumber, place);
    }
    const start = this.imagesStart + place * pageSizeBytes;
    return this.buffer.subarray(start, start + pageSizeBytes);
  }

  /**
   * A commit may enlarge the database by pages that it does not write: SQL never does that to a WAL, who writes pages by
   * hand can. They are part of the file all the same, with whatever bytes stood or will stand there.
   */
  private addUnwritten(databasePageCount: number, mark: WalMark): void {
    const { table, database } = this.options;
    for (let pageNumber = table.pageCount + 1; pageNumber <= databasePageCount; pageNumber++) {
      if (pageNumber === this.lockPage || this.places.has(pageNumber) || table.get(pageNumber) !== 0n)
        continue;
      readPageAt(database, pageNumber, mark, this.place(pageNumber));
    }
  }

  /** @param databasePageCount 0 in all fragments of a record but the last */
  private appendFragment(databasePageCount: number, source: WalMark, isDifference: boolean): void {
    const { pageSizeBytes } = this;
    const { table, log, epoch, clock } = this.options;
    if (this.fragmentIndex === 0) this.commitTimeMs = clock();
    const pageNumbers = [...this.places.keys()];
    const checksumBefore = table.checksum;
    for (const [pageNumber, place] of this.places) {
      const start = this.imagesStart + place * pageSizeBytes;
      table.set(pageNumber, hashPage(pageNumber, this.buffer.subarray(start, start + pageSizeBytes)));
    }
    const isLast = databasePageCount > 0;
    const start = this.imagesStart - imagesOffset(pageNumbers.length);
    const fragment = this.buffer.subarray(start, start + fragmentLength(pageNumbers.length, pageSizeBytes));
    sealFragment(
      fragment,
      {
        txid: log.headTxid + 1,
        epoch,
        commitTimeMs: this.commitTimeMs,
        checksumBefore,
        checksumAfter: isLast ? table.checksumAt(databasePageCount) : table.checksum,
        pageSizeBytes,
        databasePageCount,
        fragmentIndex: this.fragmentIndex,
        isDifference,
        source,
      },
      pageNumbers,
    );
    this.places.clear();
    this.fragmentIndex += 1;
    log.append(fragment);
    // Not before: where the record cannot be written, the table's file still has to have what a replay goes on from.
    if (isLast) table.resize(databasePageCount);
  }
}

/** Where a transaction stands in the WAL is known at its end: fragments before the last say nothing. */
const NO_MARK: WalMark = { frame: 0, salts: "0".repeat(16), checksum: "0".repeat(16) };
