import { statSync } from "node:fs";
import { compareCursors } from "../format/cursor.ts";
import type { LogSegment } from "../plan/retention.ts";
import type { Cursor } from "../units.ts";
import { segmentPath } from "./segment-files.ts";

/** What is known of a sealed segment's file. Replaced in tests. */
export type SegmentStat = (segment: number) => { readonly sizeBytes: number; readonly modifiedMs: number };

export interface SegmentCatalogueOptions {
  readonly folder: string;
  /** Unix ms. */
  readonly clock: () => number;
  readonly stat?: SegmentStat;
}

/**
 * Sizes and ages of a log's segments, without asking the disk again: a sealed segment never changes, so that each is
 * looked at once. About 50 bytes a segment.
 */
export class SegmentCatalogue {
  private readonly options: SegmentCatalogueOptions;
  private readonly stat: SegmentStat;
  /** In order, without holes; the last is the one at `end`. Sizes are those of the files. */
  private segments: LogSegment[] = [];
  /** Of each segment: the bytes of all before it. */
  private before: number[] = [];
  private startCursor: Cursor = { segment: 1, offset: 0 };
  private endCursor: Cursor = { segment: 1, offset: 0 };

  constructor(options: SegmentCatalogueOptions) {
    this.options = options;
    this.stat = options.stat ?? ((segment) => statOf(options.folder, segment));
  }

  get start(): Cursor {
    return this.startCursor;
  }

  get end(): Cursor {
    return this.endCursor;
  }

  /** Ascending; the last one is being written. */
  list(): readonly LogSegment[] {
    return this.segments;
  }

  /** Log bytes from start to end. */
  get sizeBytes(): number {
    return this.place(this.endCursor) - this.place(this.startCursor);
  }

  /**
   * Log bytes from a place to the end; 0 for a place past the end.
   *
   * @returns null when the place is before the start: nobody knows what was there
   */
  bytesAfter(cursor: Cursor): number | null {
    if (compareCursors(cursor, this.startCursor) < 0) return null;
    if (compareCursors(cursor, this.endCursor) >= 0) return 0;
    return this.place(this.endCursor) - this.place(cursor);
  }

  /** Brings it up to the log as it is now. */
  update(start: Cursor, end: Cursor): void {
    if (this.segments.length === 0 || !this.isContinuedBy(start, end)) {
      this.segments = [];
      this.before = [];
      this.append(
        start.segment,
        start.segment === end.segment
          ? { sizeBytes: end.offset, modifiedMs: this.stat(end.segment).modifiedMs }
          : { sizeBytes: 0, modifiedMs: 0 },
      );
    }
    this.dropBefore(start.segment);
    const newest = this.segments.at(-1)!;
    if (end.segment > newest.segment) {
      this.segments.pop();
      this.before.pop();
      for (let { segment } = newest; segment < end.segment; segment++)
        this.append(segment, this.stat(segment));
      this.append(end.segment, { sizeBytes: end.offset, modifiedMs: this.options.clock() });
    } else if (end.offset !== newest.sizeBytes) {
      const changed = { segment: end.segment, sizeBytes: end.offset, modifiedMs: this.options.clock() };
      this.segments[this.segments.length - 1] = changed;
    }
    this.startCursor = start;
    this.endCursor = end;
  }

  private isContinuedBy(start: Cursor, end: Cursor): boolean {
    return (
      compareCursors(start, this.startCursor) >= 0 &&
      compareCursors(end, this.endCursor) >= 0 &&
      start.segment <= this.endCursor.segment
    );
  }

  private append(
    segment: number,
    { sizeBytes, modifiedMs }: { readonly sizeBytes: number; readonly modifiedMs: number },
  ): void {
    const last = this.segments.at(-1);
    this.before.push(last === undefined ? 0 : this.before.at(-1)! + last.sizeBytes);
    this.segments.push({ segment, sizeBytes, modifiedMs });
  }

  private dropBefore(segment: number): void {
    const count = this.segments.findIndex((each) => each.segment >= segment);
    if (count <= 0) return;
    this.segments.splice(0, count);
    this.before.splice(0, count);
  }

  private place({ segment, offset }: Cursor): number {
    const index = segment - (this.segments[0]?.segment ?? segment);
    const found = this.segments[index];
    return found === undefined ? 0 : this.before[index]! + Math.min(offset, found.sizeBytes);
  }
}

function statOf(folder: string, segment: number): { sizeBytes: number; modifiedMs: number } {
  const stats = statSync(segmentPath(folder, segment), { throwIfNoEntry: false });
  return { sizeBytes: stats?.size ?? 0, modifiedMs: stats?.mtimeMs ?? 0 };
}
