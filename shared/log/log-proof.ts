import { SEGMENT_HEADER_BYTES } from "../format/segment.ts";
import type { SegmentHeader } from "../format/segment.ts";
import type { Cursor } from "../units.ts";
import { DamagedLogError } from "./damaged-log-error.ts";
import { FragmentReader } from "./fragment-reader.ts";
import type { PlacedFragment } from "./fragment-reader.ts";
import { LogChain } from "./log-chain.ts";

/** Told of each state that is proven on the way: after a segment's header, and after each record. */
export type OnProven = (at: Cursor, chain: LogChain) => void;

export interface LogProofOptions {
  /** The folder of segments. */
  readonly folder: string;
  readonly logId: string;
  /** The first byte of a segment or of a record: what comes before it is gone, and taken for granted. */
  readonly start: Cursor;
  /** Nothing at or past this is read. */
  readonly end: Cursor;
  readonly onProven?: OnProven;
}

/** Reads a log fragment by fragment and proves it: every header, every checksum, every step from one record to the next. */
export class LogProof {
  private readonly reader: FragmentReader;
  private readonly options: LogProofOptions;
  private proven: LogChain | undefined;
  private provenEnd: Cursor;

  constructor(options: LogProofOptions) {
    const { folder, start, end } = options;
    this.options = options;
    this.provenEnd = start;
    this.reader = new FragmentReader({
      folder,
      start,
      end: () => end,
      onSegment: (header) => this.enter(header),
    });
  }

  /** As far as it is proven; undefined before the first header or record. */
  get chain(): LogChain | undefined {
    return this.proven;
  }

  /** Where the last whole record ends, or the last header before the first one. */
  get end(): Cursor {
    return this.provenEnd;
  }

  /** Where the next fragment is looked for. */
  get position(): Cursor {
    return this.reader.position;
  }

  /**
   * @returns undefined when there is no whole fragment before the end
   * @throws DamagedLogError; unknown_version; storage_failed
   */
  step(): PlacedFragment | undefined {
    const placed = this.reader.next();
    if (placed === undefined) return undefined;
    const { fragment, start, end } = placed;
    this.proven ??= LogChain.beforeRecord(fragment);
    const what = this.proven.refuses(fragment);
    if (what !== undefined) throw new DamagedLogError(start, what);
    this.proven.take(fragment);
    if (this.proven.openFragments === 0) this.prove(end, this.proven);
    return placed;
  }

  /** Releases the file. */
  close(): void {
    this.reader.close();
  }

  private enter(header: SegmentHeader): void {
    const { logId } = this.options;
    this.proven ??= LogChain.beforeSegment(header);
    const what =
      header.logId === logId
        ? this.proven.refusesSegment(header)
        : `it belongs to log ${header.logId}, not ${logId}`;
    if (what !== undefined) throw new DamagedLogError({ segment: header.segment, offset: 0 }, what);
    this.prove({ segment: header.segment, offset: SEGMENT_HEADER_BYTES }, this.proven);
  }

  private prove(at: Cursor, chain: LogChain): void {
    this.provenEnd = at;
    this.options.onProven?.(at, chain);
  }
}
