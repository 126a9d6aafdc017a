import { z } from "zod";
import { recentErrorSchema } from "../status.ts";
import type { RecentError } from "../status.ts";

/** Where a segment of the log is not what was written to it. */
export interface DamagedSegment {
  readonly segment: number;
  /** Nothing of the segment can be relied on from here on. */
  readonly offset: number;
  readonly what: string;
  /** Transactions that cannot be read from this log because of it; null where that cannot be told. */
  readonly firstTxid: number | null;
  readonly lastTxid: number | null;
}

/** A re-reading of every page, and then of the log, from the files (`POST /admin/verify`). */
export interface VerificationStatus {
  /** `none`: never asked for since the start. `different`: pages, or the log, are not what was written. */
  readonly state: "none" | "running" | "identical" | "different" | "failed";
  readonly txid: number | null;
  /** What the log says at that txid; 16 hex digits. */
  readonly expectedChecksum: string | null;
  /** What the pages on disk come to. */
  readonly foundChecksum: string | null;
  readonly pagesDone: number;
  readonly pagesTotal: number;
  /** Pages that are not what the page table has, at most 100 of them. */
  readonly differentPages: readonly number[];
  readonly logBytesDone: number;
  readonly logBytesTotal: number;
  /** Oldest first, one place for each damaged segment; the newest 100 of them. */
  readonly logDamage: readonly DamagedSegment[];
  readonly startedMs: number | null;
  readonly endedMs: number | null;
  readonly error: RecentError | null;
}

const damagedSegmentSchema: z.ZodType<DamagedSegment> = z.looseObject({
  segment: z.int(),
  offset: z.int(),
  what: z.string(),
  firstTxid: z.int().nullable(),
  lastTxid: z.int().nullable(),
});

export const verificationStatusSchema: z.ZodType<VerificationStatus> = z.looseObject({
  state: z.enum(["none", "running", "identical", "different", "failed"]),
  txid: z.int().nullable(),
  expectedChecksum: z.string().nullable(),
  foundChecksum: z.string().nullable(),
  pagesDone: z.int(),
  pagesTotal: z.int(),
  differentPages: z.array(z.int()),
  // An older node reads its pages alone.
  logBytesDone: z.int().default(0),
  logBytesTotal: z.int().default(0),
  logDamage: z.array(damagedSegmentSchema).default([]),
  startedMs: z.number().nullable(),
  endedMs: z.number().nullable(),
  error: recentErrorSchema.nullable(),
});
