import { readSync } from "node:fs";
import { TailraceError } from "../errors.ts";
import { alignedBuffer } from "../format/wal.ts";
import {
  BLOCK_BYTES,
  WAL_INDEX_HEADER_BYTES,
  WalIndexBlock,
  decodeWalIndexHeader,
  encodeWalIndexHeader,
  readBackfill,
} from "../format/wal-index.ts";
import type { WalIndexHeader } from "../format/wal-index.ts";
import { onStorage } from "../storage/storage-error.ts";
import { writeFully } from "./write-fully.ts";

const MAX_HEADER_READS = 1000;
/** A writer is between the copies for a moment, unless the kernel takes the processor from it there: then for its turn. */
const TIGHT_HEADER_READS = 100;
const HEADER_PAUSE_MS = 0.2;
const pauseCell = new Int32Array(new SharedArrayBuffer(4));

/**
 * The wal-index (-shm) of a database, by a held descriptor. Reading and writing by descriptor is coherent with
 * SQLite's memory map on local file systems.
 */
export class WalIndexFile {
  readonly descriptor: number;
  private readonly headerBytes: Buffer = Buffer.alloc(WAL_INDEX_HEADER_BYTES);

  /** @param descriptor from {@link ./held-files.ts!holdFile} */
  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /**
   * The header, and how many frames are in the database file already. A writer that is between the two copies is
   * waited for by reading again.
   *
   * @throws database_busy when no consistent header was seen in 1,000 reads, which take a quarter of a second;
   * storage_failed
   */
  read(): { readonly header: WalIndexHeader; readonly backfill: number } {
    for (let attempt = 0; attempt < MAX_HEADER_READS; attempt++) {
      const size = this.fill(this.headerBytes, 0);
      const header = size === WAL_INDEX_HEADER_BYTES ? decodeWalIndexHeader(this.headerBytes) : undefined;
      if (header !== undefined) return { header, backfill: readBackfill(this.headerBytes) };
      if (attempt >= TIGHT_HEADER_READS) Atomics.wait(pauseCell, 0, 0, HEADER_PAUSE_MS);
    }
    throw new TailraceError("database_busy", "the wal-index has no consistent header", {
      retryable: true,
      hint: "A writer died between two steps; the next connection that opens the database recovers it.",
    });
  }

  /** @returns undefined where the file does not reach that far yet */
  readBlock(block: number): WalIndexBlock | undefined {
    const bytes = alignedBuffer(BLOCK_BYTES);
    const size = this.fill(bytes, block * BLOCK_BYTES);
    return size === BLOCK_BYTES ? new WalIndexBlock(block, bytes) : undefined;
  }

  /** @returns how many bytes there were */
  private fill(bytes: Buffer, offset: number): number {
    return onStorage("read", "the wal-index", () =>
      readSync(this.descriptor, bytes, 0, bytes.length, offset),
    );
  }

  /** Writes a block, but for the header that block 0 begins with. Only under the write lock. */
  writeBlock({ block, bytes }: WalIndexBlock): void {
    const skipped = block === 0 ? WAL_INDEX_HEADER_BYTES : 0;
    writeFully(this.descriptor, bytes.subarray(skipped), block * BLOCK_BYTES + skipped);
  }

  /**
   * Writes the header, both copies of it: what publishes a commit. Only under the write lock.
   *
   * SQLite writes the second copy and then the first, some nanoseconds apart; a reader takes a header only if both copies
   * are the same and check. So their order is free, and one system call for both leaves no moment in which this process
   * can be killed between the two. Readers would be busy then until one of them has recovered the WAL.
   */
  writeHeader(header: WalIndexHeader): void {
    const copy = encodeWalIndexHeader(header);
    writeFully(this.descriptor, Buffer.concat([copy, copy]), 0);
  }
}
