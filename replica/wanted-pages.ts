import { closeSync, openSync, rmSync } from "node:fs";
import { TailraceError } from "../shared/errors.ts";
import { hashPage } from "../shared/format/page-hash.ts";
import { alignedBuffer } from "../shared/format/wal.ts";
import type { PageTable } from "../shared/pages/page-table.ts";
import { readAt, writeAt } from "../shared/storage/positioned-io.ts";
import { onStorage } from "../shared/storage/storage-error.ts";
import { hex64, lockPage } from "../shared/units.ts";
import type { PageNumber } from "../shared/units.ts";
import { violation } from "./answers.ts";
import type { ReplicaFiles } from "./replica-files.ts";
import type { SnapshotClient, SnapshotHead } from "./snapshot-client.ts";

/** Differing pages this near to each other are fetched by one request: a round trip costs more than a few pages. */
const MAX_GAP_BYTES = 64 * 1024;
const MAX_RUN_BYTES = 4 << 20;
const SUMS_BLOCK_BYTES = 64 * 1024;

export interface Run {
  readonly first: PageNumber;
  /** Exclusive. */
  readonly end: PageNumber;
}

/** The snapshot's page hashes, and the pages fetched by them: both in files, for either may be larger than memory. */
export class WantedPages {
  private readonly head: SnapshotHead;
  private readonly files: ReplicaFiles;
  private readonly sums: number;
  private readonly spool: number;
  /** Fetched so far. */
  pageCount = 0;

  constructor(files: ReplicaFiles, head: SnapshotHead) {
    this.files = files;
    this.head = head;
    this.sums = onStorage("create", files.resyncSums, () => openSync(files.resyncSums, "w+"));
    try {
      this.spool = onStorage("create", files.resyncPages, () => openSync(files.resyncPages, "w+"));
    } catch (error) {
      // Where descriptors have run out, each try would keep one more.
      closeSync(this.sums);
      throw error;
    }
  }

  async fetchSums(client: SnapshotClient, signal?: AbortSignal): Promise<void> {
    let sizeBytes = 0;
    const write = (bytes: Buffer): void => {
      writeAt(this.sums, bytes, sizeBytes);
      sizeBytes += bytes.length;
    };
    await client.pageChecksums(
      this.head,
      (bytes) => onStorage("write", this.files.resyncSums, () => write(bytes)),
      signal,
    );
    let checksum = 0n;
    const lock = lockPage(this.head.pageSizeBytes);
    for (const { page, hash } of this.hashes()) {
      // It stands for a page that is not there: taken at its word, the database would grow without its pages.
      if (hash === 0n && page !== lock)
        throw violation(`page ${page} of snapshot ${this.head.generation} has no checksum`);
      checksum ^= hash;
    }
    if (checksum !== this.head.state.checksum) {
      throw violation(
        `the page checksums of snapshot ${this.head.generation} amount to ${hex64(checksum)}, not ${hex64(this.head.state.checksum)}`,
      );
    }
  }

  /** Runs of pages that differ, near ones joined. */
  *differing(table: PageTable): Generator<Run> {
    const { pageSizeBytes } = this.head;
    const lock = lockPage(pageSizeBytes);
    let run: Run | undefined;
    for (const { page, hash } of this.hashes()) {
      if (page === lock || table.get(page) === hash) continue;
      if (
        run !== undefined &&
        ((page - run.end) * pageSizeBytes > MAX_GAP_BYTES ||
          (page + 1 - run.first) * pageSizeBytes > MAX_RUN_BYTES)
      ) {
        yield run;
        run = undefined;
      }
      run = { first: run?.first ?? page, end: page + 1 };
    }
    if (run !== undefined) yield run;
  }

  /** Fetches a run; of its pages, those that differ are verified and kept. */
  async fetch(
    client: SnapshotClient,
    { first, end }: Run,
    table: PageTable,
    signal?: AbortSignal,
  ): Promise<void> {
    const { pageSizeBytes, etag, generation } = this.head;
    const images = alignedBuffer((end - first) * pageSizeBytes);
    let size = 0;
    let isSuperseded = false;
    await client.read(
      {
        from: (first - 1) * pageSizeBytes,
        until: (end - 1) * pageSizeBytes,
        etag,
        ...(signal === undefined ? {} : { signal }),
      },
      {
        start: (head) => {
          isSuperseded = head.etag !== etag;
          return !isSuperseded;
        },
        data: (bytes) => {
          // A run from page 1 to the last is answered like any other, but a whole image would be longer.
          if (size + bytes.length > images.length)
            throw violation("GET /snapshot/latest: more bytes than asked for");
          size += bytes.copy(images, size);
        },
      },
    );
    if (isSuperseded) {
      throw new TailraceError("snapshot_unknown", `snapshot ${generation} was replaced during the resync`, {
        retryable: true,
      });
    }
    for (let page = first; page < end; page++) {
      const hash = this.hashOf(page);
      if (table.get(page) === hash) continue;
      const offset = (page - first) * pageSizeBytes;
      const image = images.subarray(offset, offset + pageSizeBytes);
      if (page === lockPage(pageSizeBytes)) continue;
      if (hashPage(page, image) !== hash)
        throw violation(`page ${page} of snapshot ${generation} arrives with another hash than stated`);
      this.keep(page, image);
    }
  }

  /** The fetched pages, one at a time in one buffer. */
  *pages(): Generator<{ readonly page: PageNumber; readonly image: Buffer }> {
    const entry = alignedBuffer(8 + this.head.pageSizeBytes);
    for (let index = 0; index < this.pageCount; index++) {
      onStorage("read", this.files.resyncPages, () => readAt(this.spool, entry, index * entry.length));
      yield { page: entry.readUInt32LE(0), image: entry.subarray(8) };
    }
  }

  close(): void {
    closeSync(this.sums);
    closeSync(this.spool);
    rmSync(this.files.resyncSums, { force: true });
    rmSync(this.files.resyncPages, { force: true });
  }

  private keep(page: PageNumber, image: Buffer): void {
    const entry = Buffer.alloc(8 + image.length);
    entry.writeUInt32LE(page, 0);
    image.copy(entry, 8);
    onStorage("write", this.files.resyncPages, () =>
      writeAt(this.spool, entry, this.pageCount * entry.length),
    );
    this.pageCount += 1;
  }

  private hashOf(page: PageNumber): bigint {
    const bytes = Buffer.alloc(8);
    readAt(this.sums, bytes, (page - 1) * 8);
    return bytes.readBigUInt64LE(0);
  }

  private *hashes(): Generator<{ readonly page: PageNumber; readonly hash: bigint }> {
    const block = Buffer.alloc(SUMS_BLOCK_BYTES);
    const { pageCount } = this.head.state;
    for (let first = 1; first <= pageCount; first += SUMS_BLOCK_BYTES / 8) {
      const size = readAt(this.sums, block, (first - 1) * 8);
      for (let offset = 0; offset < size; offset += 8)
        yield { page: first + offset / 8, hash: block.readBigUInt64LE(offset) };
    }
  }
}
