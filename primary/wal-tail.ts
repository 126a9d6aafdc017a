import { closeSync, fdatasync, openSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { failpoint } from "../shared/failpoint.ts";
import type { WalMark } from "../shared/format/record.ts";
import {
  FRAME_HEADER_BYTES,
  WAL_HEADER_BYTES,
  WalChecksum,
  alignedBuffer,
  decodeWalHeader,
  frameOffset,
  verifyFrame,
  wordsOf,
} from "../shared/format/wal.ts";
import type { WalIndexHeader } from "../shared/format/wal-index.ts";
import { markOf } from "../shared/plan/wal-continuity.ts";
import { readAt } from "../shared/storage/positioned-io.ts";
import { syncFolder } from "../shared/storage/atomic-file.ts";
import { onStorage, storageError } from "../shared/storage/storage-error.ts";
import type { PageNumber } from "../shared/units.ts";

const READ_BYTES: number = 1 << 20;
const dataSync = promisify(fdatasync);

/** Takes the frames of committed transactions, one after the other. */
export interface FrameSink {
  /** @param image a view into a buffer that is used again: copy what is to stay */
  frame(pageNumber: PageNumber, image: Buffer): void;
  /** The frame before was the last of a transaction. */
  commit(databasePageCount: number, mark: WalMark): void;
}

/** The WAL does not continue where the capture stands: commits may have been missed. */
export class BrokenWalError extends Error {
  override readonly name = "BrokenWalError";
}

/**
 * Reads committed frames from a SQLite WAL, in commit order, and proves by salts and the checksum chain that none is
 * missing. Never past the frame that the wal-index publishes: what lies behind it belongs to an open transaction.
 */
export class WalTail {
  private readonly path: string;
  private readonly pageSizeBytes: number;
  private readonly descriptor: number;
  private readonly buffer: Buffer;
  private readonly words: Int32Array;
  private readonly saltBytes = Buffer.alloc(8);
  private committed: WalMark;
  private checksum = new WalChecksum(false);
  /** The last frame that went to the sink: past `committed.frame` within a transaction. */
  private frame = 0;

  /** @param path of the `-wal`, which exists as long as a connection is open */
  constructor(path: string, pageSizeBytes: number, start: WalMark) {
    this.path = path;
    this.pageSizeBytes = pageSizeBytes;
    this.descriptor = onStorage("open", path, () => openSync(path, "r"));
    const frameBytes = FRAME_HEADER_BYTES + pageSizeBytes;
    this.buffer = alignedBuffer(Math.max(1, Math.floor(READ_BYTES / frameBytes)) * frameBytes);
    this.words = wordsOf(this.buffer);
    this.committed = start;
    this.restartAt(start);
  }

  /** The last commit that went to the sink. */
  get mark(): WalMark {
    return this.committed;
  }

  /** Whether part of a transaction has gone to the sink. */
  get isWithinTransaction(): boolean {
    return this.frame !== this.committed.frame;
  }

  /** Whether a frame of the same WAL stands after the last commit: one of a transaction that is being written, or was. */
  get isFollowed(): boolean {
    const { frame, salts } = this.committed;
    const size = this.readInto(this.saltBytes, frameOffset(frame + 1, this.pageSizeBytes) + 8);
    return size === this.saltBytes.length && this.saltBytes.toString("hex") === salts;
  }

  /** Puts the file on disk as it is, without keeping this thread. @throws storage_failed */
  async sync(): Promise<void> {
    const { path, descriptor } = this;
    try {
      syncFolder(dirname(path));
      await dataSync(descriptor);
    } catch (error) {
      throw storageError("sync", path, error);
    }
  }

  /** Goes on after the given commit; what has been read of a transaction after it is forgotten. */
  restartAt(mark: WalMark): void {
    this.committed = mark;
    this.frame = mark.frame;
  }

  /** Goes on at the first frame of the WAL that the header is of. */
  restartWithin(header: WalIndexHeader): void {
    this.restartAt({ ...markOf(header), frame: 0, checksum: "0".repeat(16) });
  }

  /** Whether the frame that the mark names stands in the WAL as the mark says, so that what follows it follows it. */
  holds({ frame, salts, checksum }: WalMark): boolean {
    const bytes = alignedBuffer(16);
    if (frame === 0 || this.readInto(bytes, frameOffset(frame, this.pageSizeBytes) + 8) < 16) return false;
    return bytes.toString("hex", 0, 8) === salts && bytes.toString("hex", 8, 16) === checksum;
  }

  /**
   * Passes frames to the sink until the header's last.
   *
   * @param header of the WAL that the tail stands in
   * @param budgetBytes about how much to read; a transaction may then be left unfinished, and the next call goes on
   * @returns whether the header's last frame was reached
   * @throws BrokenWalError; whatever the sink throws
   */
  read(header: WalIndexHeader, sink: FrameSink, budgetBytes: number): boolean {
    const { pageSizeBytes, buffer, words } = this;
    const frameBytes = FRAME_HEADER_BYTES + pageSizeBytes;
    if (this.frame < header.mxFrame) this.seed(header);
    for (let budget = budgetBytes; this.frame < header.mxFrame && budget > 0;) {
      const count = Math.min(header.mxFrame - this.frame, Math.floor(buffer.length / frameBytes));
      const chunk = buffer.subarray(0, count * frameBytes);
      const size = this.readInto(chunk, frameOffset(this.frame + 1, pageSizeBytes));
      if (size < chunk.length) throw new BrokenWalError(`the WAL ends before frame ${this.frame + count}`);
      failpoint("capture.frames-read");
      for (let offset = 0; offset < chunk.length; offset += frameBytes) {
        if (!verifyFrame(buffer, words, offset, pageSizeBytes, header.salts, this.checksum)) {
          throw new BrokenWalError(`frame ${this.frame + 1} of the WAL does not follow from the one before`);
        }
        const databasePageCount = chunk.readUInt32BE(offset + 4);
        const start = offset + FRAME_HEADER_BYTES;
        sink.frame(chunk.readUInt32BE(offset), chunk.subarray(start, start + pageSizeBytes));
        this.frame += 1;
        if (databasePageCount === 0) continue;
        const mark = { frame: this.frame, salts: header.salts, checksum: this.checksum.toString() };
        sink.commit(databasePageCount, mark);
        this.committed = mark;
      }
      budget -= chunk.length;
    }
    if (this.frame < header.mxFrame) return false;
    // The chain must lead to the very frame that the wal-index publishes.
    if (this.frame > 0 && (this.isWithinTransaction || this.committed.checksum !== header.frameChecksum)) {
      throw new BrokenWalError(`frame ${this.frame} of the WAL is not the commit that the wal-index names`);
    }
    return true;
  }

  close(): void {
    closeSync(this.descriptor);
  }

  /** Sets the running checksum to what the next frame continues, unless it is there already. */
  private seed(header: WalIndexHeader): void {
    if (this.isWithinTransaction) return;
    if (this.frame > 0) {
      this.checksum = new WalChecksum(header.isBigEndianChecksum, this.committed.checksum);
      return;
    }
    const bytes = alignedBuffer(WAL_HEADER_BYTES);
    this.readInto(bytes, 0);
    const walHeader = decodeWalHeader(bytes);
    if (walHeader?.salts !== header.salts || walHeader.pageSizeBytes !== this.pageSizeBytes) {
      throw new BrokenWalError("the WAL's header is not the one that the wal-index was made from");
    }
    this.checksum = new WalChecksum(walHeader.isBigEndianChecksum, walHeader.checksum);
  }

  private readInto(bytes: Buffer, offset: number): number {
    return onStorage("read", this.path, () => readAt(this.descriptor, bytes, offset));
  }
}
