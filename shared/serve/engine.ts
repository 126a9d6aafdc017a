import type { ErrorData } from "../errors.ts";
import type { MetricsJson } from "../metrics/metric-set.ts";
import type { EngineStatus, ReplicaStatus, SegmentStatus } from "../status.ts";
import type { VerificationStatus } from "../verification/verification-status.ts";
import type { Cursor, Txid } from "../units.ts";

/**
 * What the serving thread has to know of the engine behind it (capture on a primary, apply on a replica). The engine
 * sends a new head after each durable commit; requests that wait are woken by it, never by a timer.
 */
export interface NodeHead {
  /** 32 hex digits. */
  readonly logId: string;
  readonly epoch: number;
  readonly pageSizeBytes: number;
  /** The newest transaction that is durable in the log. */
  readonly txid: Txid;
  /** Commit time of that transaction, Unix ms; null before the first. */
  readonly commitTimeMs: number | null;
  /** 16 hex digits. */
  readonly databaseChecksum: string;
  /** The first log byte that this node still has. */
  readonly start: Cursor;
  /** The end of what is durable: the only bytes served lie between start and end. */
  readonly end: Cursor;
  /** The primary's clock minus this node's, in ms; null where it is not known. Left out: 0, on the primary itself. */
  readonly clockOffsetMs?: number | null;
  /**
   * On a replica: the primary's clock, Unix ms, as of which this head was all there is. Null or left out: it still is, as
   * far as can be known.
   */
  readonly freshAsOfMs?: number | null;
  /**
   * On a replica: how far the log of the node that it follows went when that answered last; null while it has not. Left out
   * on the primary, whose own log is all there is.
   */
  readonly sourceEnd?: Cursor | null;
}

/** What a replica knows of the node that it follows, for those that follow it. */
export type SourceStanding = Pick<NodeHead, "clockOffsetMs" | "freshAsOfMs" | "sourceEnd">;

/** A snapshot in the data folder. `file` and `checksumsFile` are paths; the rest is what PROTOCOL.md's headers say. */
export interface SnapshotInfo {
  readonly generation: number;
  readonly txid: Txid;
  /** 16 hex digits. */
  readonly databaseChecksum: string;
  readonly pageSizeBytes: number;
  readonly pageCount: number;
  /** Where the log goes on. */
  readonly cursor: Cursor;
  readonly logId: string;
  readonly epoch: number;
  readonly createdMs: number;
  /** Absolute path of the image; its size is pageCount × pageSizeBytes. */
  readonly file: string;
  /** Absolute path of 8 bytes a page, little-endian hashes; 0 for the lock page. */
  readonly checksumsFile: string;
}

/** What the server has seen of one replica. */
export interface Sighting {
  readonly id: string;
  readonly address: string | null;
  /** The cursor it asked from last: everything before is on its disk. */
  readonly received: Cursor;
  /** The end of what was sent to it last. */
  readonly sent: Cursor | null;
  readonly appliedTxid: Txid | null;
  /** Unix ms. */
  readonly lastSeenMs: number;
  /** It has a request open: it is there, whatever lastSeenMs says. */
  readonly isAsking: boolean;
}

/**
 * What the server tells the engine from time to time: at once of a replica it has not told of before, else every
 * REPORT_MS (reporter.ts) while something changes, and along with each question for the status.
 */
export interface ServeReport {
  /** Those that have changed since the last report. */
  readonly sightings: readonly Sighting[];
  /** Generations being downloaded, or downloaded so recently that the asker is not back for the log after it. */
  readonly heldGenerations: readonly number[];
}

/** How a checkpoint that was asked for has ended. */
export interface CheckpointOutcome {
  /** All that was committed is in the database file. If not, a reader of an older state holds it up. */
  readonly isComplete: boolean;
  readonly walFrames: number;
  readonly copiedFrames: number;
}

/** The calls that the serving thread makes to the engine. */
export type EngineMethods = {
  /** The engine's part of the status document, the report taken into account. */
  status: (report: ServeReport) => Promise<EngineStatus> | EngineStatus;
  report: (report: ServeReport) => Promise<void> | void;
  /** A snapshot for a newcomer: the newest, unless the log after it has outgrown it; then, or without any, a new one. */
  snapshot: () => Promise<SnapshotInfo> | SnapshotInfo;
  /** A new generation, whatever there is. During another such call, that one's. */
  takeSnapshot: () => Promise<SnapshotInfo> | SnapshotInfo;
  checkpoint: () => Promise<CheckpointOutcome> | CheckpointOutcome;
  /** @throws replica_unknown */
  forget: (id: string) => Promise<ReplicaStatus> | ReplicaStatus;
  /** The files of the log, in order. */
  segments: () => Promise<readonly SegmentStatus[]> | readonly SegmentStatus[];
  /** Begins to re-read every page and the log from the files; during another such call, that one's. */
  startVerification: () => Promise<VerificationStatus> | VerificationStatus;
  verification: () => VerificationStatus;
  metrics: () => Promise<MetricsJson> | MetricsJson;
};

/** The events that the engine sends to the serving thread. */
export type EngineEvents = {
  head: NodeHead;
  /** The engine cannot serve (starting, stopping, damaged); null when it can again. */
  unready: ErrorData | null;
};
