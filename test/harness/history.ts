import { fragmentLength, imagesOffset, sealFragment } from "../../shared/format/record.ts";

/**
 * Makes records that follow from one another, as capture would. The database checksums are made up: the log checks
 * that they connect, not what they are of.
 */
export class History {
  readonly pageSizeBytes: number;
  txid = 0;
  checksum = 0x1122334455667788n;
  pageCount = 0;
  epoch = 1;

  constructor(pageSizeBytes = 512) {
    this.pageSizeBytes = pageSizeBytes;
  }

  /** What a log needs to begin here. */
  get initial(): { txid: number; checksum: bigint; pageCount: number } {
    return { txid: this.txid, checksum: this.checksum, pageCount: this.pageCount };
  }

  /** The next transaction, as fragments of `pagesEach` pages. */
  record({ fragments = 1, pagesEach = 1 }: { fragments?: number; pagesEach?: number } = {}): Buffer[] {
    this.txid += 1;
    this.pageCount = Math.max(this.pageCount, pagesEach);
    return Array.from({ length: fragments }, (_, index) => this.fragment(index, fragments, pagesEach));
  }

  private fragment(index: number, fragments: number, pages: number): Buffer {
    const bytes = Buffer.alloc(fragmentLength(pages, this.pageSizeBytes));
    bytes.fill(`page of ${this.txid}, fragment ${index}. `, imagesOffset(pages));
    const before = this.checksum;
    this.checksum = BigInt.asUintN(64, before * 6364136223846793005n + 1442695040888963407n);
    sealFragment(
      bytes,
      {
        txid: this.txid,
        epoch: this.epoch,
        commitTimeMs: 1_700_000_000_000 + this.txid,
        checksumBefore: before,
        checksumAfter: this.checksum,
        pageSizeBytes: this.pageSizeBytes,
        databasePageCount: index === fragments - 1 ? this.pageCount : 0,
        fragmentIndex: index,
        isDifference: false,
        source: { frame: this.txid, salts: "00000001deadbeef", checksum: "0123456789abcdef" },
      },
      Array.from({ length: pages }, (_, page) => page + 1),
    );
    return bytes;
  }
}
