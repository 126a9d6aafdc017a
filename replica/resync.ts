import { closeSync, openSync, rmSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { TailraceError } from "../shared/errors.ts";
import { failpoint } from "../shared/failpoint.ts";
import { hashPage } from "../shared/format/page-hash.ts";
import type { LeftMark, Position } from "../shared/format/position.ts";
import { NO_MARK } from "../shared/format/position.ts";
import { alignedBuffer } from "../shared/format/wal.ts";
import type { LogCopy } from "../shared/log/log-copy.ts";
import { PageTable } from "../shared/pages/page-table.ts";
import { readAt, writeAt } from "../shared/storage/positioned-io.ts";
import { onStorage } from "../shared/storage/storage-error.ts";
import { hex64, lockPage } from "../shared/units.ts";
import type { PageNumber } from "../shared/units.ts";
import { violation } from "./answers.ts";
import { isUndisturbed, markOf } from "./left-mark.ts";
import { scanInto } from "./page-scan.ts";
import { stampOf } from "./position-file.ts";
import type { PositionFile } from "./position-file.ts";
import type { ReplicaDatabase } from "./replica-database.ts";
import type { ReplicaFiles } from "./replica-files.ts";
import type { SnapshotClient, SnapshotHead } from "./snapshot-client.ts";

/** Differing pages this near to each other are fetched by one request: a round trip costs more than a few pages. */
const MAX_GAP_BYTES = 64 * 1024;
const MAX_RUN_BYTES = 4 << 20;
const SUMS_BLOCK_BYTES = 64 * 1024;

export interface ResyncOptions {
  readonly client: SnapshotClient;
  readonly database: ReplicaDatabase;
  readonly files: ReplicaFiles;
  readonly positionFile: PositionFile;
  readonly copy: LogCopy;
  readonly bootId: string;
  readonly onProgress: (fetchedPages: number) => void;
  readonly signal?: AbortSignal;
}

export interface ResyncOutcome {
  readonly head: SnapshotHead;
  readonly fetchedPages: number;
}

/**
 * Makes the replica equal to the primary's newest snapshot by fetching only the pages that differ, each verified by its
 * hash, and putting them into the database as one commit under open readers. Whatever the replica held before does not
 * matter, and a crash at any point leaves the state before or the state after; an interrupted resync is begun again.
 *
 * @throws page_size_changed, stale_epoch, snapshot_unknown (superseded on the way: try again), database_busy, and what
 * the transport throws
 */
export async function resync(options: ResyncOptions): Promise<ResyncOutcome> {
  const { client, database, files, positionFile, copy, bootId, signal } = options;
  const head = await client.head(signal);
  assertCompatible(head, database.appender.pageSizeBytes, positionFile.position);
  // Read page by page: whatever has led here, what the table says is not to be relied on.
  const table = PageTable.create(files.pageTable);
  const wanted = new WantedPages(files, head);
  try {
    const seen = await scanDatabase(database, table);
    await wanted.fetchSums(client, signal);
    for (const run of wanted.differing(table)) {
      await wanted.fetch(client, run, table, signal);
      options.onProgress(wanted.pageCount);
    }
    failpoint("resync.pages-fetched");
    await land(options, head, wanted, table, seen);
    copy.reset(head.state.cursor);
    table.flush({ txid: head.state.txid, cursor: head.state.cursor });
    const { header } = database.appender;
    positionFile.write(landed(head, markOf(header), database.file, bootId), true);
    return { head, fetchedPages: wanted.pageCount };
  } finally {
    wanted.close();
    table.close();
  }
}

/** Reads the database into the table. @returns where its WAL stood */
async function scanDatabase(database: ReplicaDatabase, table: PageTable): Promise<LeftMark> {
  const view = database.view();
  try {
    await scanInto(table, view);
    return markOf(view.header);
  } finally {
    view.close();
  }
}

/** Puts the fetched pages into the database. From its first step on, the position says that a resync is under way. */
async function land(
  { database, positionFile, bootId }: ResyncOptions,
  head: SnapshotHead,
  wanted: WantedPages,
  table: PageTable,
  seen: LeftMark,
): Promise<void> {
  const { appender } = database;
  positionFile.write({ ...landed(head, seen, database.file, bootId), phase: "resyncing" }, true);
  failpoint("resync.intent-written");
  const found = appender.begin();
  try {
    if (!isUndisturbed(found, seen)) {
      throw new TailraceError(
        "database_busy",
        "another process has written to the replica during the resync",
        {
          retryable: true,
        },
      );
    }
    let sliceBytes = 0;
    for (const { page, image } of wanted.pages()) {
      table.set(page, hashPage(page, image));
      appender.append(page, image);
      sliceBytes += image.length;
      if (sliceBytes % (1 << 20) === 0) await turn();
    }
    table.resize(head.state.pageCount);
    if (table.checksum !== head.state.checksum) {
      throw violation(
        `snapshot ${head.generation} has database checksum ${hex64(head.state.checksum)}, its pages ${hex64(table.checksum)}`,
      );
    }
    if (wanted.pageCount > 0) {
      appender.commit({ databasePageCount: head.state.pageCount, isDurable: true });
      failpoint("resync.published");
    } else {
      // Nothing differs, but what is there may be in the memory of the machine alone.
      appender.sync();
    }
  } finally {
    appender.abort();
  }
}

/** The position of a replica that is exactly at a snapshot. */
export function landed(head: SnapshotHead, left: LeftMark, file: string, bootId: string): Position {
  return {
    pageSizeBytes: head.pageSizeBytes,
    logId: head.logId,
    epoch: head.epoch,
    applied: head.state,
    intent: head.state,
    // The image is in the file and synced, or the commit was made durable before it was published.
    floor: head.state,
    left,
    intended: NO_MARK,
    phase: "following",
    isClean: false,
    isStamped: false,
    stamp: stampOf(file),
    bootId,
    commitTimeMs: 0,
  };
}

function assertCompatible(head: SnapshotHead, pageSizeBytes: number, position: Position | undefined): void {
  if (head.pageSizeBytes !== pageSizeBytes) {
    throw new TailraceError(
      "page_size_changed",
      `the primary's pages have ${head.pageSizeBytes} bytes now, the replica's ${pageSizeBytes}`,
      { hint: "Stop the replica's readers and remove its file: it is then fetched anew." },
    );
  }
  if (head.state.pageCount === 0)
    throw new TailraceError("not_ready", "the primary's database is empty yet", { retryable: true });
  if (position !== undefined && position.logId === head.logId && head.epoch < position.epoch) {
    throw new TailraceError(
      "stale_epoch",
      `the node is at epoch ${head.epoch}, epoch ${position.epoch} was seen`,
      {
        hint: "A newer primary has taken over: point the replica at that one.",
      },
    );
  }
}

interface Run {
  readonly first: PageNumber;
  /** Exclusive. */
  readonly end: PageNumber;
}

/** The snapshot's page hashes, and the pages fetched by them: both in files, for either may be larger than memory. */
class WantedPages {
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
    this.spool = onStorage("create", files.resyncPages, () => openSync(files.resyncPages, "w+"));
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
    for (const { hash } of this.hashes()) checksum ^= hash;
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
