import { z } from "zod";
import { TailraceError } from "./errors.ts";
import type { ErrorCode } from "./errors.ts";

/**
 * The HTTP contract between nodes, and between a node and whoever looks at it.
 *
 * Every response carries `tailrace-protocol`. A node that asks refuses a higher major number than it knows.
 *
 * - 1: `/wal`, `/snapshot/latest`, `/snapshot/{generation}/page-checksums`, `/status`, `/livez`, `/readyz`, `/healthz`,
 *   `/metrics`, `/`, and below `/admin`: `replicas`, `wal`, `snapshots`, `checkpoint`, `verify`.
 */
export const PROTOCOL_VERSION = 1;

/**
 * Who sends less than this, on the whole, is not waited for, and neither is who takes less. Below any link that could follow
 * a database that is written to.
 */
export const MIN_BYTES_PER_SECOND: number = 4 << 10;

/** Names of headers, all in lower case. Numbers in them are decimal, checksums hex. */
export const HEADER = {
  protocol: "tailrace-protocol",
  /**
   * 32 hex digits. On a request: the log that the asker follows (409 when it is not the node's).
   */
  logId: "wal-log-id",
  /** On a request: the newest epoch that the asker has seen (409 when it is newer than the node's). */
  epoch: "wal-epoch",
  /**
   * On a request with `applied_txid`: the asker's database checksum at that transaction, 16 hex digits. 409
   * `log_diverged` when that is the node's newest too, and the node has another: a log whose end was lost and written
   * anew, just as long, would pass for the old one until the next commit.
   */
  appliedChecksum: "wal-applied-checksum",
  nextSegment: "wal-next-segment",
  nextOffset: "wal-next-offset",
  /** 1: nothing more is durable; else 0. */
  eof: "wal-eof",
  /** `crc32:` and 8 hex digits over the body after decoding. */
  checksum: "wal-checksum",
  /**
   * The node's newest durable transaction. In an answer out of a cache (`age`) the four head headers, and the two
   * of time, are as old as the answer.
   */
  headTxid: "wal-head-txid",
  headSegment: "wal-head-segment",
  headOffset: "wal-head-offset",
  /** Unix ms of the newest commit; absent before the first. */
  headTime: "wal-head-time",
  /**
   * The primary's clock at this answer, Unix ms; on a replica, its estimate of it. With it, lag is measured on one clock.
   * Absent: the node has not heard it, and cannot tell how old its head is.
   */
  time: "wal-time",
  /**
   * On a replica that is behind, or out of touch with its own source: the primary's clock, Unix ms, as of which
   * `wal-head-txid` was the primary's newest. Absent: it is so as of `wal-time`.
   */
  freshTime: "wal-fresh-time",
  /** On snapshots: where the log goes on. */
  segment: "wal-segment",
  offset: "wal-offset",
  snapshotGeneration: "snapshot-generation",
  snapshotTxid: "snapshot-txid",
  /** `sha256:` and 64 hex digits over the whole image. Absent for who says `want-repr-digest: sha-256=0`. */
  snapshotChecksum: "snapshot-checksum",
  /** 16 hex digits. */
  snapshotDatabaseChecksum: "snapshot-database-checksum",
  snapshotPageSize: "snapshot-page-size",
  snapshotPageCount: "snapshot-page-count",
} as const;

export const DEFAULT_CHUNK_BYTES: number = 1 << 20;
export const MAX_CHUNK_BYTES: number = 16 << 20;
/** The longest that a request for log bytes is held. */
export const MAX_WAIT_MS = 60_000;

/** A decimal number as it stands in a query or header. */
function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  return z.string().transform((text, context) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
    const limits = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`;
    context.addIssue({ code: "custom", message: `must be a whole number ${limits}` });
    return z.NEVER;
  });
}

const anyNumber = wholeNumber(0, Number.MAX_SAFE_INTEGER);

/** The query of `GET /wal`. Keys that are not named here are ignored: a later version may send them. */
export interface WalQuery {
  readonly segment: number;
  readonly offset: number;
  readonly max_bytes: number;
  readonly wait_ms: number;
  readonly replica_id?: string | undefined;
  readonly applied_txid?: number | undefined;
}

const replicaId = z
  .string()
  .regex(/^\P{Cc}{1,128}$/u, "must have 1 to 128 characters, none of them a control character");

const walQuerySchema: z.ZodType<WalQuery> = z.object({
  segment: wholeNumber(1, Number.MAX_SAFE_INTEGER),
  offset: anyNumber,
  max_bytes: wholeNumber(1, MAX_CHUNK_BYTES).default(DEFAULT_CHUNK_BYTES),
  wait_ms: wholeNumber(0, MAX_WAIT_MS).default(0),
  replica_id: replicaId.optional(),
  applied_txid: anyNumber.optional(),
});

/** @throws InvalidQueryError naming key and value */
export function parseWalQuery(search: URLSearchParams): WalQuery {
  return parseQuery(walQuerySchema, search);
}

/** The query of `POST /admin/snapshots`. */
export interface TakeSnapshotQuery {
  /** How long the answer may wait for the snapshot. */
  readonly wait_ms: number;
}

const takeSnapshotSchema: z.ZodType<TakeSnapshotQuery> = z.object({
  wait_ms: wholeNumber(0, MAX_WAIT_MS).default(MAX_WAIT_MS),
});

/** @throws InvalidQueryError */
export function parseTakeSnapshotQuery(search: URLSearchParams): TakeSnapshotQuery {
  return parseQuery(takeSnapshotSchema, search);
}

function parseQuery<T>(schema: z.ZodType<T>, search: URLSearchParams): T {
  const values: Record<string, string> = {};
  for (const [key, value] of search) {
    if (values[key] !== undefined) throw new InvalidQueryError(key, value, "must come once");
    values[key] = value;
  }
  return parseNamed(schema, values);
}

/** What the asker says of the log it follows, in request headers; both may be left out. */
export interface AskerHistory {
  readonly logId?: string | undefined;
  readonly epoch?: number | undefined;
  /** 16 hex digits. */
  readonly appliedChecksum?: string | undefined;
}

const askerSchema: z.ZodType<{
  [HEADER.logId]?: string | undefined;
  [HEADER.epoch]?: number | undefined;
  [HEADER.appliedChecksum]?: string | undefined;
}> = z.object({
  [HEADER.logId]: z
    .string()
    .regex(/^[0-9a-f]{32}$/, "must be 32 hex digits")
    .optional(),
  [HEADER.epoch]: anyNumber.optional(),
  [HEADER.appliedChecksum]: z
    .string()
    .regex(/^[0-9a-f]{16}$/, "must be 16 hex digits")
    .optional(),
});

/** @throws InvalidQueryError */
export function parseAskerHistory(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): AskerHistory {
  const logId = headers[HEADER.logId];
  const epoch = headers[HEADER.epoch];
  const appliedChecksum = headers[HEADER.appliedChecksum];
  if (logId === undefined && epoch === undefined && appliedChecksum === undefined) return {};
  const parsed = parseNamed(askerSchema, {
    [HEADER.logId]: logId,
    [HEADER.epoch]: epoch,
    [HEADER.appliedChecksum]: appliedChecksum,
  });
  return {
    logId: parsed[HEADER.logId],
    epoch: parsed[HEADER.epoch],
    appliedChecksum: parsed[HEADER.appliedChecksum],
  };
}

/** The `{generation}` of a path. @throws InvalidQueryError */
export function parseGeneration(text: string): number {
  return parseNamed(z.object({ generation: wholeNumber(1, Number.MAX_SAFE_INTEGER) }), { generation: text })
    .generation;
}

/** The `{id}` of a path, percent-encoded as it comes. @throws InvalidQueryError */
export function parseReplicaId(encoded: string): string {
  let id: string;
  try {
    id = decodeURIComponent(encoded);
  } catch {
    throw new InvalidQueryError("id", encoded, "must be percent-encoded UTF-8");
  }
  return parseNamed(z.object({ id: replicaId }), { id }).id;
}

/** `invalid_request`, with the key and value that are to blame. */
export class InvalidQueryError extends TailraceError {
  readonly key: string;
  /** Undefined where the key is missing. */
  readonly value: string | undefined;

  constructor(key: string, value: string | undefined, demand: string) {
    const found = value === undefined ? "it is missing" : `not ${JSON.stringify(value.slice(0, 100))}`;
    super("invalid_request", `${key} ${demand}, ${found}`, { hint: `Send ${key} as the protocol has it.` });
    this.key = key;
    this.value = value;
  }
}

function parseNamed<T>(
  schema: z.ZodType<T>,
  values: Readonly<Record<string, string | string[] | undefined>>,
): T {
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = String(issue?.path[0] ?? "");
  const value = values[key];
  const demand = issue?.code === "invalid_type" ? "must be given once" : (issue?.message ?? "is not usable");
  throw new InvalidQueryError(key, Array.isArray(value) ? value.join(", ") : value, demand);
}

/** The body of every error: `application/problem+json` (RFC 9457). Match on `code` alone. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint: string | null;
  readonly retryable: boolean;
  /** Of invalid_request: what is to blame. */
  readonly key?: string;
  readonly value?: string | null;
}

export const problemSchema: z.ZodType<Omit<Problem, "code"> & { code: string }> = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  hint: z.string().nullable(),
  retryable: z.boolean(),
  key: z.string().exactOptional(),
  value: z.string().nullable().exactOptional(),
});

/**
 * `GET /snapshot/latest` with `Accept: application/json`: the headers of the image as one document, under their names.
 */
export const snapshotMetadataSchema: z.ZodType<SnapshotMetadata> = z.object({
  [HEADER.snapshotGeneration]: z.int(),
  [HEADER.snapshotTxid]: z.int(),
  [HEADER.snapshotChecksum]: z.string().exactOptional(),
  [HEADER.snapshotDatabaseChecksum]: z.string(),
  [HEADER.snapshotPageSize]: z.int(),
  [HEADER.snapshotPageCount]: z.int(),
  [HEADER.segment]: z.int(),
  [HEADER.offset]: z.int(),
  [HEADER.logId]: z.string(),
  [HEADER.epoch]: z.int(),
  etag: z.string(),
  "content-length": z.int(),
  "last-modified": z.string(),
});

export interface SnapshotMetadata {
  readonly [HEADER.snapshotGeneration]: number;
  readonly [HEADER.snapshotTxid]: number;
  readonly [HEADER.snapshotChecksum]?: string;
  readonly [HEADER.snapshotDatabaseChecksum]: string;
  readonly [HEADER.snapshotPageSize]: number;
  readonly [HEADER.snapshotPageCount]: number;
  readonly [HEADER.segment]: number;
  readonly [HEADER.offset]: number;
  readonly [HEADER.logId]: string;
  readonly [HEADER.epoch]: number;
  readonly etag: string;
  /** Of the image, in bytes. */
  readonly "content-length": number;
  /** When the snapshot was taken. */
  readonly "last-modified": string;
}
