import type { ErrorData } from "../errors.ts";
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
}

/** A snapshot in the data folder. `file` and `checksumsFile` are paths; the rest is what PROTOCOL.md's headers say. */
export interface SnapshotInfo {
  readonly generation: number;
  readonly txid: Txid;
  /** sha256 of the file, hex. */
  readonly sha256: string;
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

/** The engine's part of the status document. What it holds depends on the role. */
export interface EngineStatus {
  readonly [key: string]: unknown;
  /** Unix ms at which it was so. */
  readonly asOfMs: number;
}

/** The calls that the serving thread makes to the engine. */
export type EngineMethods = {
  /** The engine's part of the status document. */
  status: () => Promise<Record<string, unknown>> | Record<string, unknown>;
  /** The newest snapshot of the present log; made now when there is none. */
  snapshot: () => Promise<SnapshotInfo> | SnapshotInfo;
};

/** The events that the engine sends to the serving thread. */
export type EngineEvents = {
  head: NodeHead;
  /** The engine cannot serve (starting, stopping, damaged); null when it can again. */
  unready: ErrorData | null;
};
