import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs";
import { TailraceError, assert } from "../errors.ts";
import { failpoint } from "../failpoint.ts";
import { decodeFragmentHeader } from "../format/record.ts";
import type { WalMark } from "../format/record.ts";
import { SEGMENT_HEADER_BYTES, encodeSegmentHeader } from "../format/segment.ts";
import { writeFileAtomically } from "../storage/atomic-file.ts";
import { writeAgain } from "../storage/positioned-io.ts";
import type { Cursor, Txid } from "../units.ts";
import { LogChain } from "./log-chain.ts";
import type { OnProven } from "./log-proof.ts";
import { listSegments, removeSegments, removeUnfinished, segmentPath } from "./segment-files.ts";
import { verifyLog } from "./verify-log.ts";
import { causeText, onStorage } from "../storage/storage-error.ts";
import { systemHint } from "../system-error.ts";

/**
 * When a record counts as durable. `commit`: each is on disk before its append returns. `group`: at the next
 * {@link LogWriter.sync}. `os`: at once; a loss of power may take the newest with it.
 */
export type Durability = "commit" | "group" | "os";

/** The operating system's part, so that tests can fill the disk. */
export interface LogStorage {
  write(descriptor: number, bytes: Buffer, from: number, count: number, position: number): number;
  dataSync(descriptor: number): void;
  truncate(descriptor: number, sizeBytes: number): void;
}

export const SYSTEM_STORAGE: LogStorage = {
  write: writeSync,
  dataSync: fdatasyncSync,
  truncate: ftruncateSync,
};

export interface LogWriterOptions {
  readonly folder: string;
  readonly logId: string;
  /** Of the segments made from now on. */
  readonly epoch: number;
  readonly pageSizeBytes: number;
  /** A segment is sealed at the first end of a record at or past this size. */
  readonly segmentSizeBytes: number;
  readonly durability: Durability;
  /** Unix ms. */
  readonly clock: () => number;
  /** The state that a new log begins from; a log that is there already knows better. */
  readonly initial: { readonly txid: Txid; readonly checksum: bigint; readonly pageCount: number };
  /** Of a log that is there: power may have been lost while records after this transaction were on their way to the disk. */
  readonly lackingAfter?: Txid | undefined;
  /** And everything up to this transaction was on the disk when the log was closed in order. */
  readonly syncedTxid?: Txid | undefined;
  readonly storage?: LogStorage;
}

/** What was cut off at open: a record that was never whole; after a loss of power, records that nobody had synced. */
export interface CutTail {
  readonly segment: number;
  /** Where the cut was made: the end of the last whole record. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * The only writer of a log. Invariants: segments but the newest never change; the newest ends in whole records and at
 * most one that is being appended; `durableEnd` ≤ `end`, both always at the end of a whole record (or of a header).
 */
export class LogWriter {
  private readonly options: LogWriterOptions;
  private readonly storage: LogStorage;
  private readonly chain: LogChain;
  private first: number;
  private descriptor: number;
  private recordEnd: Cursor;
  private syncedEnd: Cursor;
  private recorded = 0;
  /** Where the next fragment goes: past `end` within a record. */
  private writeOffset: number;
  /** Bytes of a record that was given up may stand past `end`: they go before anything else is written. */
  private isUncut = false;
  /** Set when the file is in a state that is not known: nothing more is written. */
  private brokenBy: TailraceError | undefined;

  /**
   * Opens the log, proves all of it, and cuts a torn tail.
   *
   * @throws DamagedLogError; unknown_version; storage_failed
   */
  static open(options: LogWriterOptions): { readonly log: LogWriter; readonly cut?: CutTail } {
    const { folder } = options;
    onStorage("create", folder, () => mkdirSync(folder, { recursive: true }));
    removeUnfinished(folder);
    if (listSegments(folder).length === 0) {
      createSegment(
        options,
        1,
        LogChain.at(options.pageSizeBytes, { ...options.initial, epoch: options.epoch }),
      );
    }
    const segments = listSegments(folder);
    let synced: Cursor = { segment: 0, offset: 0 };
    const onProven: OnProven = (at, { head }) => {
      if (head.txid <= (options.syncedTxid ?? -1)) synced = at;
    };
    const { chain, end, tornBytes } = onStorage("read", folder, () =>
      verifyLog(folder, segments, options.logId, onProven, options.lackingAfter),
    );
    const log = new LogWriter(options, chain, segments[0]!, end);
    if (tornBytes > 0) log.truncate(end.offset);
    // An earlier process may have died between a sync that failed and the cut that follows it.
    if (options.durability !== "os") log.writeAgain(synced.segment === end.segment ? synced.offset : 0);
    log.flush();
    return tornBytes > 0 ? { log, cut: { ...end, bytes: tornBytes } } : { log };
  }

  private constructor(options: LogWriterOptions, chain: LogChain, first: number, end: Cursor) {
    assert(chain.pageSizeBytes === options.pageSizeBytes, "a log of another page size is not continued");
    this.options = options;
    this.storage = options.storage ?? SYSTEM_STORAGE;
    this.chain = chain;
    this.first = first;
    this.recordEnd = end;
    this.syncedEnd = end;
    this.writeOffset = end.offset;
    const path = segmentPath(options.folder, end.segment);
    this.descriptor = onStorage("open", path, () => openSync(path, "r+"));
  }

  get headTxid(): Txid {
    return this.chain.head.txid;
  }

  get headChecksum(): bigint {
    return this.chain.head.checksum;
  }

  get headPageCount(): number {
    return this.chain.head.pageCount;
  }

  /** Unix ms; null when the log holds no record. */
  get headCommitTimeMs(): number | null {
    return this.chain.head.commitTimeMs;
  }

  /** Where the last record's commit stood in the SQLite WAL; undefined when the log holds no record. */
  get lastSource(): WalMark | undefined {
    return this.chain.head.source;
  }

  /** Bytes of the records appended since it was opened. */
  get recordedBytes(): number {
    return this.recorded;
  }

  /** The first byte that is still there. */
  get start(): Cursor {
    return { segment: this.first, offset: 0 };
  }

  /** The end of the last whole record. */
  get end(): Cursor {
    return this.recordEnd;
  }

  /** The end of what counts as durable: the only bytes that may be shown to anybody. */
  get durableEnd(): Cursor {
    return this.syncedEnd;
  }

  /**
   * Appends a sealed fragment. The fragments of a record come in order; the last one ends the record, makes it durable
   * in mode `commit`, and seals the segment when that is due.
   *
   * @throws storage_failed, retryable where the log is as it was before the record: append all its fragments again
   */
  append(fragment: Buffer): void {
    if (this.brokenBy !== undefined) throw this.brokenBy;
    const header = decodeFragmentHeader(fragment);
    assert(header.lengthBytes === fragment.length, "a fragment is appended whole");
    if (this.isUncut) this.truncate(this.recordEnd.offset);
    if (this.chain.openFragments === 0) this.sealIfDue();
    const what = this.chain.refuses(header);
    assert(what === undefined, what ?? "");
    this.write(fragment);
    this.chain.take(header);
    failpoint("log.fragment-written");
    if (header.databasePageCount === 0) return;

    failpoint("log.record-written");
    this.recorded += this.writeOffset - this.recordEnd.offset;
    this.recordEnd = { segment: this.recordEnd.segment, offset: this.writeOffset };
    if (this.options.durability === "commit") this.sync();
    if (this.options.durability === "os") this.syncedEnd = this.recordEnd;
    try {
      this.sealIfDue();
    } catch (error) {
      // The record is in the log all the same. The next append tries again, and fails if that does.
      if (this.brokenBy !== undefined) throw error;
    }
  }

  /** Cuts off the fragments of a record that will not be completed. */
  abandonRecord(): void {
    if (this.chain.openFragments === 0) return;
    this.chain.abandonRecord();
    this.truncate(this.recordEnd.offset);
  }

  /** Puts every whole record on disk. @throws storage_failed */
  sync(): void {
    if (this.brokenBy !== undefined) throw this.brokenBy;
    if (this.syncedEnd !== this.recordEnd || this.options.durability === "os") this.flush();
  }

  /**
   * Begins a new segment, so that the newest one can be dropped. Not while a record is being appended, and not where the
   * newest has none: then nothing happens, and it can be asked for again.
   *
   * @throws storage_failed
   */
  seal(): void {
    if (this.brokenBy !== undefined) throw this.brokenBy;
    if (this.chain.openFragments > 0 || this.recordEnd.offset === SEGMENT_HEADER_BYTES) return;
    if (this.isUncut) this.truncate(this.recordEnd.offset);
    this.beginSegment();
  }

  private writeAgain(from: number): void {
    onStorage("write", segmentPath(this.options.folder, this.recordEnd.segment), () =>
      writeAgain(this.descriptor, from),
    );
  }

  private flush(): void {
    try {
      this.storage.dataSync(this.descriptor);
    } catch (cause) {
      // The kernel may have dropped the pages it could not write: a second try would succeed and prove nothing. They still
      // stand in its memory: cut off, they are not taken for durable by the next start, which reads the file from there.
      this.tryCut(this.syncedEnd.offset);
      throw this.break("cannot be made durable", cause);
    }
    this.syncedEnd = this.recordEnd;
    failpoint("log.synced");
  }

  /**
   * Removes the segments before the given one, oldest first. The newest record always stays, because it says where
   * the log and the database met last.
   */
  dropBefore(segment: number): void {
    const { segment: newest, offset } = this.recordEnd;
    const last = offset > SEGMENT_HEADER_BYTES ? newest : newest - 1;
    const kept = Math.min(segment, Math.max(last, this.first));
    while (this.first < kept) {
      removeSegments(this.options.folder, [this.first]);
      this.first += 1;
      failpoint("log.segment-removed");
    }
  }

  /** Makes what is whole durable, and releases the file. */
  close(): void {
    try {
      if (this.brokenBy === undefined) {
        this.chain.abandonRecord();
        // What stays is a torn tail, which the next open cuts.
        if (this.isUncut || this.writeOffset > this.recordEnd.offset) this.tryCut(this.recordEnd.offset);
        this.sync();
      }
    } finally {
      this.brokenBy ??= new TailraceError("closed", "the log is closed");
      closeSync(this.descriptor);
    }
  }

  private write(bytes: Buffer): void {
    try {
      for (let written = 0; written < bytes.length;) {
        const count = this.storage.write(
          this.descriptor,
          bytes,
          written,
          bytes.length - written,
          this.writeOffset + written,
        );
        assert(count > 0, "a write writes something");
        written += count;
      }
    } catch (cause) {
      this.chain.abandonRecord();
      this.tryCut(this.recordEnd.offset);
      throw this.failure("cannot be written", cause, true);
    }
    this.writeOffset += bytes.length;
  }

  /** @throws storage_failed, and then it is tried again before anything is written */
  private truncate(sizeBytes: number): void {
    this.writeOffset = sizeBytes;
    this.isUncut = true;
    try {
      this.storage.truncate(this.descriptor, sizeBytes);
    } catch (cause) {
      throw this.failure("cannot be cut back to its last whole record", cause, true);
    }
    this.isUncut = false;
  }

  private tryCut(sizeBytes: number): void {
    try {
      this.truncate(sizeBytes);
    } catch {
      // A read-only file system refuses this as well as the write: what went wrong first is what is told.
    }
  }

  private sealIfDue(): void {
    const { offset } = this.recordEnd;
    if (offset < this.options.segmentSizeBytes || offset === SEGMENT_HEADER_BYTES) return;
    this.beginSegment();
  }

  private beginSegment(): void {
    const { segment } = this.recordEnd;
    // A sealed segment is on disk before its successor exists, or a loss of power could tear it in the middle.
    if (this.options.durability === "group") this.sync();
    failpoint("log.segment-sealed");
    const sealed = this.descriptor;
    try {
      createSegment(this.options, segment + 1, this.chain);
      this.descriptor = openSync(segmentPath(this.options.folder, segment + 1), "r+");
    } catch (cause) {
      throw this.failure("cannot be followed by a new segment", cause, true);
    }
    failpoint("log.segment-created");
    // In mode `os` the disk follows in its own time, but it does follow.
    if (this.options.durability === "os") fdatasync(sealed, () => closeSync(sealed));
    else closeSync(sealed);
    this.writeOffset = SEGMENT_HEADER_BYTES;
    this.recordEnd = { segment: segment + 1, offset: SEGMENT_HEADER_BYTES };
    this.syncedEnd = this.recordEnd;
  }

  private break(what: string, cause: unknown): TailraceError {
    this.brokenBy = this.failure(what, cause, false);
    return this.brokenBy;
  }

  private failure(what: string, cause: unknown, retryable: boolean): TailraceError {
    const path = segmentPath(this.options.folder, this.recordEnd.segment);
    return new TailraceError("storage_failed", `log segment ${path} ${what}: ${causeText(cause)}`, {
      cause,
      retryable,
      hint: retryable
        ? `${systemHint(cause) ?? "See what the disk has."} Writing goes on by itself where it stopped.`
        : "Check the disk, then start again: the log is verified at the start.",
    });
  }
}

function createSegment(options: LogWriterOptions, segment: number, { head }: LogChain): void {
  writeFileAtomically(
    segmentPath(options.folder, segment),
    encodeSegmentHeader({
      pageSizeBytes: options.pageSizeBytes,
      logId: options.logId,
      epoch: Math.max(options.epoch, head.epoch),
      segment,
      firstTxid: head.txid + 1,
      checksumBefore: head.checksum,
      createdMs: options.clock(),
      pageCountBefore: head.pageCount,
    }),
  );
}
