import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { FRAGMENT_HEADER_BYTES, decodeFragment, decodeFragmentHeader } from "../format/record.ts";
import type { Fragment } from "../format/record.ts";
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader } from "../format/segment.ts";
import type { SegmentHeader } from "../format/segment.ts";
import { alignedBuffer } from "../format/wal.ts";
import { onStorage } from "../storage/storage-error.ts";
import type { Cursor } from "../units.ts";
import { DamagedLogError } from "./damaged-log-error.ts";
import { segmentPath } from "./segment-files.ts";

/** More than the longest fragment, so that one always fits. */
const MAX_BUFFER_BYTES: number = 2 << 20;
const MIN_BUFFER_BYTES = 4096;

export interface FragmentReaderOptions {
  /** The folder of segments. */
  readonly folder: string;
  /** The first byte of a segment (0), of a fragment, or the end of a segment. */
  readonly start: Cursor;
  /** Nothing at or past this is read. Asked anew at each {@link FragmentReader.next}; segments before its are sealed. */
  readonly end: () => Cursor;
  /** Called with each segment's header when the reader passes it. */
  readonly onSegment?: (header: SegmentHeader) => void;
}

export interface PlacedFragment {
  /** Its images are views into the reader's buffer: good until the next call. */
  readonly fragment: Fragment;
  readonly start: Cursor;
  readonly end: Cursor;
}

/**
 * Reads the fragments of a log, one after the other across segments, in a buffer of bounded size however long a record
 * is. Every fragment is whole and matches its checksums; whether fragments follow from one another is the caller's
 * to check (log-chain.ts).
 */
export class FragmentReader {
  private readonly folder: string;
  private readonly end: () => Cursor;
  private readonly onSegment: ((header: SegmentHeader) => void) | undefined;
  private segment: number;
  private offset: number;
  private descriptor: number | undefined;
  /** Size of the present segment once it is known to be sealed. */
  private sealedBytes: number | undefined;
  /** Holds the segment's bytes from `bufferStart`, a multiple of 8, as fragments and their images are. As large as needed so far. */
  private buffer = alignedBuffer(0);
  private bufferStart = 0;
  private bufferedBytes = 0;

  constructor({ folder, start, end, onSegment }: FragmentReaderOptions) {
    this.folder = folder;
    this.end = end;
    this.onSegment = onSegment;
    this.segment = start.segment;
    this.offset = start.offset;
    this.bufferStart = start.offset;
  }

  /** Where the next fragment begins (or the header of its segment). */
  get position(): Cursor {
    return { segment: this.segment, offset: this.offset };
  }

  /**
   * @returns undefined when there is no whole fragment before the end as it is now; ask again when it has moved
   * @throws DamagedLogError; unknown_version; storage_failed
   */
  next(): PlacedFragment | undefined {
    for (;;) {
      const end = this.end();
      const isSealed = this.segment < end.segment;
      if (!isSealed && (this.segment > end.segment || this.offset >= end.offset)) return undefined;
      this.open(isSealed);
      const limit = this.sealedBytes ?? end.offset;
      // A segment has a header, also where its file is empty.
      if (this.offset < limit || this.offset === 0) {
        const placed = this.offset === 0 ? this.header(limit) : this.fragment(limit);
        if (placed === "cut short" && isSealed)
          throw new DamagedLogError(this.position, "the segment is cut short");
        if (placed === "cut short") return undefined;
        if (placed !== "header") return placed;
      } else if (this.offset > limit) {
        throw new DamagedLogError(this.position, `the segment ends at ${limit} already`);
      } else {
        this.close();
        this.segment += 1;
        this.offset = 0;
      }
    }
  }

  /** Releases the file. The reader can go on; it opens the file again. */
  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
    this.sealedBytes = undefined;
    this.bufferStart = 0;
    this.bufferedBytes = 0;
  }

  private open(isSealed: boolean): void {
    const path = segmentPath(this.folder, this.segment);
    onStorage("open", path, () => {
      this.descriptor ??= openSync(path, "r");
      if (isSealed) this.sealedBytes ??= fstatSync(this.descriptor).size;
    });
  }

  private header(limit: number): "header" | "cut short" {
    const bytes = this.peek(SEGMENT_HEADER_BYTES, limit);
    if (bytes.length < SEGMENT_HEADER_BYTES) return "cut short";
    try {
      const header = decodeSegmentHeader(bytes);
      if (header.segment !== this.segment)
        throw new DamagedLogError(this.position, `the header is of segment ${header.segment}`);
      this.onSegment?.(header);
    } catch (error) {
      throw DamagedLogError.at(this.position, error);
    }
    this.offset = SEGMENT_HEADER_BYTES;
    return "header";
  }

  private fragment(limit: number): PlacedFragment | "cut short" {
    try {
      let bytes = this.peek(FRAGMENT_HEADER_BYTES, limit);
      if (bytes.length < FRAGMENT_HEADER_BYTES) return "cut short";
      bytes = this.peek(decodeFragmentHeader(bytes).lengthBytes, limit);
      const fragment = decodeFragment(bytes);
      if (fragment === undefined) return "cut short";
      const start = this.position;
      this.offset += fragment.lengthBytes;
      return { fragment, start, end: this.position };
    } catch (error) {
      throw DamagedLogError.at(this.position, error);
    }
  }

  /** `count` bytes from the position, fewer where the limit comes before. Reads ahead as far as the buffer goes. */
  private peek(count: number, limit: number): Buffer {
    const wanted = Math.min(this.offset + count, limit);
    if (this.bufferStart + this.bufferedBytes < wanted) this.fill(wanted, limit);
    const from = this.offset - this.bufferStart;
    return this.buffer.subarray(from, Math.max(from, Math.min(from + count, this.bufferedBytes)));
  }

  private fill(wanted: number, limit: number): void {
    const passed = Math.min(this.offset - this.bufferStart, this.bufferedBytes);
    const target = Math.min(limit, this.offset + MAX_BUFFER_BYTES);
    const buffer = this.bufferFor(target - this.offset);
    this.buffer.copy(buffer, 0, passed, this.bufferedBytes);
    this.buffer = buffer;
    this.bufferedBytes -= passed;
    this.bufferStart = this.offset;
    while (this.bufferStart + this.bufferedBytes < wanted) {
      const position = this.bufferStart + this.bufferedBytes;
      const read = onStorage("read", segmentPath(this.folder, this.segment), () =>
        readSync(this.descriptor!, this.buffer, this.bufferedBytes, target - position, position),
      );
      if (read === 0)
        throw new DamagedLogError(this.position, `the file ends at ${position}, the log goes on to ${limit}`);
      this.bufferedBytes += read;
    }
  }

  /** The present one where that is large enough. */
  private bufferFor(bytes: number): Buffer<ArrayBuffer> {
    if (bytes <= this.buffer.length) return this.buffer;
    const powerOfTwo = 1 << (32 - Math.clz32(bytes - 1));
    return alignedBuffer(Math.max(MIN_BUFFER_BYTES, powerOfTwo));
  }
}
