import type { SegmentCatalogue } from "../log/segment-catalogue.ts";
import type { RetentionLimits } from "../plan/retention.ts";
import type { Cursor, Txid } from "../units.ts";

/** The log that replicas follow here. */
export interface FollowedLog {
  readonly logId: string;
  readonly headTxid: Txid;
  /** Null before the first commit. */
  readonly headCommitTimeMs: number | null;
  readonly start: Cursor;
}

/** The log as it is now: where it begins and ends, and how it may be cut. */
export interface LogExtent {
  readonly catalogue: SegmentCatalogue;
  readonly limits: RetentionLimits;
  /** Up to the end of this segment it is given up for a damage; null where none is known. */
  readonly damagedThrough: number | null;
}
