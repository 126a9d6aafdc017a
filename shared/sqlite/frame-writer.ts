import { fdatasyncSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { assert } from "../errors.ts";
import { failpoint } from "../failpoint.ts";
import {
  FRAME_HEADER_BYTES,
  WAL_HEADER_BYTES,
  WalChecksum,
  alignedBuffer,
  decodeWalHeader,
  encodeWalHeader,
  frameOffset,
  sealFrame,
  wordsOf,
} from "../format/wal.ts";
import type { WalIndexHeader } from "../format/wal-index.ts";
import { readAt } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";
import type { PageNumber } from "../units.ts";
import { writeFully } from "./write-fully.ts";

/** What is gathered before it is written in one system call. */
const MAX_BUFFER_BYTES: number = 1 << 20;
const NO_SALTS = "0000000000000000";

/**
 * Writes frames to a `-wal`, after the last committed one. Nothing here is visible to a reader: that takes an entry in
 * the wal-index and a new header there.
 *
 * The newest page stays in the buffer unsealed until it is known whether it is the commit's last, for that one carries
 * the database size. So {@link MAX_BUFFER_BYTES} are all the memory that a transaction of any size takes.
 */
export class FrameWriter {
  private readonly path: string;
  private readonly descriptor: number;
  private readonly pageSizeBytes: number;
  private readonly frameBytes: number;
  private readonly buffer: Buffer;
  private readonly words: Int32Array;
  private readonly capacity: number;
  private checksum: WalChecksum = new WalChecksum(false);

  /** Set from {@link start} until it is written: the WAL begins anew. */
  private walHeader: Buffer | undefined;
  private committedFrame = 0;
  /** The last frame that is in the file. The next `buffered` ones are in the buffer; all but the last are sealed. */
  private writtenFrame = 0;
  private buffered = 0;
  private lastPageNumber: PageNumber = 0;

  salts: string = NO_SALTS;
  isBigEndianChecksum = false;

  /** @param descriptor of the `-wal` at the path, for reading and writing */
  constructor(path: string, descriptor: number, pageSizeBytes: number) {
    this.path = path;
    this.descriptor = descriptor;
    this.pageSizeBytes = pageSizeBytes;
    this.frameBytes = FRAME_HEADER_BYTES + pageSizeBytes;
    this.capacity = Math.floor(MAX_BUFFER_BYTES / this.frameBytes);
    this.buffer = alignedBuffer(this.capacity * this.frameBytes);
    this.words = wordsOf(this.buffer);
  }

  /** The last frame appended, in the file or not. */
  get frame(): number {
    return this.writtenFrame + this.buffered;
  }

  /** Begins a commit after what the wal-index says is committed. */
  start(committed: WalIndexHeader): void {
    this.committedFrame = this.writtenFrame = committed.mxFrame;
    this.buffered = 0;
    this.walHeader = undefined;
    if (committed.mxFrame > 0) {
      this.salts = committed.salts;
      this.isBigEndianChecksum = committed.isBigEndianChecksum;
      this.checksum = new WalChecksum(this.isBigEndianChecksum, committed.frameChecksum);
      return;
    }
    // The restart of a WAL has put new salts into the wal-index. None are there when no WAL was before.
    this.salts = committed.salts === NO_SALTS ? randomBytes(8).toString("hex") : committed.salts;
    this.isBigEndianChecksum = false;
    this.walHeader = encodeWalHeader({
      pageSizeBytes: this.pageSizeBytes,
      checkpointSequence: this.nextCheckpointSequence(),
      salts: this.salts,
    });
    this.checksum = new WalChecksum(false, this.walHeader.toString("hex", 24, 32));
  }

  append(pageNumber: PageNumber, image: Uint8Array): void {
    if (this.buffered > 0) this.sealLast(0);
    if (this.buffered === this.capacity) this.flush();
    this.buffer.set(image, this.buffered * this.frameBytes + FRAME_HEADER_BYTES);
    this.lastPageNumber = pageNumber;
    this.buffered++;
  }

  /**
   * Makes the last page appended the commit's last. The bytes are not in the file yet.
   *
   * @returns the frame's checksum, as it stands in the wal-index header
   */
  sealCommit(databasePageCount: number): string {
    assert(this.buffered > 0, "a commit has at least one page");
    this.sealLast(databasePageCount);
    return this.checksum.toString();
  }

  /** Writes what is sealed, all of the buffer. */
  flush(): void {
    if (this.walHeader !== undefined) this.writeWalHeader(this.walHeader);
    writeFully(
      this.descriptor,
      this.buffer.subarray(0, this.buffered * this.frameBytes),
      frameOffset(this.writtenFrame + 1, this.pageSizeBytes),
    );
    this.writtenFrame += this.buffered;
    this.buffered = 0;
  }

  /** Makes what was written durable. @throws storage_failed */
  sync(): void {
    onStorage("sync", this.path, () => fdatasyncSync(this.descriptor));
  }

  /**
   * Forgets the commit. Frames of it may stand in the file, even its last one: without its first frame's header, no
   * recovery takes them for a commit.
   */
  discard(): void {
    this.buffered = 0;
    if (this.writtenFrame === this.committedFrame) return;
    this.writtenFrame = this.committedFrame;
    writeFully(
      this.descriptor,
      new Uint8Array(FRAME_HEADER_BYTES),
      frameOffset(this.committedFrame + 1, this.pageSizeBytes),
    );
  }

  private sealLast(databasePageCount: number): void {
    sealFrame(
      this.buffer,
      this.words,
      (this.buffered - 1) * this.frameBytes,
      this.pageSizeBytes,
      this.lastPageNumber,
      databasePageCount,
      this.salts,
      this.checksum,
    );
  }

  /**
   * Durable before any frame, whatever the durability of the commit: the file may hold frames of the WAL before, and if
   * the disk kept the old header under new frames, recovery would bring old pages back.
   */
  private writeWalHeader(header: Buffer): void {
    writeFully(this.descriptor, header, 0);
    this.sync();
    this.walHeader = undefined;
    failpoint("append.wal-header");
  }

  private nextCheckpointSequence(): number {
    const bytes = Buffer.alloc(WAL_HEADER_BYTES);
    const size = onStorage("read", this.path, () => readAt(this.descriptor, bytes, 0));
    const previous = decodeWalHeader(bytes.subarray(0, size));
    return previous === undefined ? 0 : (previous.checkpointSequence + 1) >>> 0;
  }
}
