import { closeSync, openSync } from "node:fs";
import { TailraceError } from "../errors.ts";
import { FRAME_HEADER_BYTES, frameOffset } from "../format/wal.ts";
import { blockOf } from "../format/wal-index.ts";
import type { WalIndexBlock, WalIndexHeader } from "../format/wal-index.ts";
import type { WalIndexFile } from "../sqlite/wal-index-file.ts";
import { readAt } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";
import type { PageNumber } from "../units.ts";

/** Wal-index blocks kept in memory: 8 MiB, a WAL of a million frames. Those of a longer WAL are read again. */
const MAX_KEPT_BLOCKS = 256;

/**
 * The pages that stand in a database's SQLite WAL, as a reader pinned at one wal-index header sees them.
 *
 * Holds only while that reader's lock is on a read mark above 0: then no frame up to mxFrame can be overwritten, and
 * no entry of the wal-index for such a frame can change, whatever writers add after it.
 */
export class WalFrames {
  private readonly walFile: string;
  private readonly descriptor: number;
  private readonly index: WalIndexFile;
  private readonly header: WalIndexHeader;
  private readonly salts: Buffer;
  private readonly frameBytes: Buffer;
  private readonly keptBlocks = new Map<number, WalIndexBlock>();

  /** Opens the WAL. @throws storage_failed */
  constructor(walFile: string, index: WalIndexFile, header: WalIndexHeader) {
    this.walFile = walFile;
    this.descriptor = onStorage("open", walFile, () => openSync(walFile, "r"));
    this.index = index;
    this.header = header;
    this.salts = Buffer.from(header.salts, "hex");
    this.frameBytes = Buffer.alloc(FRAME_HEADER_BYTES + header.pageSizeBytes);
  }

  /**
   * Overwrites those pages of the run that the WAL has.
   *
   * @param into `count` pages, the first of them `firstPage`
   * @throws damaged when a frame is not the one that the index promises
   */
  patchRun(firstPage: PageNumber, count: number, into: Buffer): void {
    const { pageSizeBytes } = this.header;
    const frames = this.newestFrames(firstPage, count);
    for (let position = 0; position < count; position++) {
      const frame = frames[position]!;
      if (frame === 0) continue;
      this.readFrame(frame, firstPage + position);
      this.frameBytes.copy(into, position * pageSizeBytes, FRAME_HEADER_BYTES);
    }
  }

  close(): void {
    this.keptBlocks.clear();
    closeSync(this.descriptor);
  }

  /** Each page's newest frame, 0 where it has none. Goes through the blocks once for the whole run. */
  private newestFrames(firstPage: PageNumber, count: number): Uint32Array {
    const frames = new Uint32Array(count);
    let missing = count;
    for (let block = blockOf(this.header.mxFrame); block >= 0 && missing > 0; block--) {
      const entries = this.block(block);
      for (let position = 0; position < count; position++) {
        if (frames[position] !== 0) continue;
        frames[position] = entries.find(firstPage + position, this.header.mxFrame);
        if (frames[position] !== 0) missing--;
      }
    }
    return frames;
  }

  private block(block: number): WalIndexBlock {
    const kept = this.keptBlocks.get(block);
    if (kept !== undefined) return kept;
    const read = this.index.readBlock(block);
    if (read === undefined) {
      throw new TailraceError("damaged", `the wal-index of ${this.walFile} ends before block ${block}`);
    }
    // Every run goes through all blocks in the same order, so the oldest kept are as good as any.
    if (this.keptBlocks.size < MAX_KEPT_BLOCKS) this.keptBlocks.set(block, read);
    return read;
  }

  private readFrame(frame: number, pageNumber: PageNumber): void {
    const bytes = this.frameBytes;
    const size = onStorage("read", this.walFile, () =>
      readAt(this.descriptor, bytes, frameOffset(frame, this.header.pageSizeBytes)),
    );
    const isPromised =
      size === bytes.length && bytes.readUInt32BE(0) === pageNumber && this.salts.compare(bytes, 8, 16) === 0;
    if (isPromised) return;
    throw new TailraceError(
      "damaged",
      `frame ${frame} of ${this.walFile} is not page ${pageNumber}, as the wal-index says`,
      { hint: "Something other than SQLite has changed the WAL or its index while they were in use." },
    );
  }
}
