import { isOfPath, isShortage, systemHint } from "./system-error.ts";

/**
 * The one family of errors. Each code is stable; nobody matches on text.
 *
 * A code states what is wrong, `message` names the offending value, `hint` the way out, and `retryable` whether the
 * same call can succeed later without anybody doing anything.
 */
export type ErrorCode =
  /** A value given by the caller is not acceptable. The message names the key and the value. */
  | "invalid_request"
  /** A configuration key, flag or variable has an unusable value. */
  | "invalid_configuration"
  /** The file is not an SQLite database (or is encrypted: the two cannot be told apart). */
  | "not_a_database"
  /** The database file is damaged by SQLite's own judgement. */
  | "database_corrupt"
  /** The database file or its folder cannot be written. */
  | "read_only"
  /** A folder that has to exist does not. */
  | "folder_missing"
  /** The address to listen on is taken. */
  | "address_in_use"
  /** Another process (or another open call of this one) uses the same data folder. */
  | "data_folder_in_use"
  /** The file system cannot carry SQLite's WAL (network and user-space file systems). */
  | "unsupported_file_system"
  /** A replica's path holds a database that this replica did not make. It is never overwritten. */
  | "unrelated_database"
  /** Another SQLite library has the file open in this process. */
  | "driver_conflict"
  /** The chosen SQLite driver cannot be loaded. */
  | "driver_unavailable"
  /** SQLite answered busy for longer than the stated limit. */
  | "database_busy"
  /** Any other error of the operating system on one of Tailrace's files; `cause` has it. */
  | "storage_failed"
  /** A file of Tailrace has a format version that this build does not know. */
  | "unknown_version"
  /** Bytes of a segment, record, snapshot, table or position file fail their check. */
  | "damaged"
  /** A database checksum does not match: replica and primary are not the same at one txid. */
  | "diverged"
  /** A process other than Tailrace has written to a replica's file. */
  | "foreign_write"
  /** The primary's database has another page size than the replica's file. */
  | "page_size_changed"
  /** The primary has an older epoch than one already seen. */
  | "stale_epoch"
  /** The URL leads to something that is no Tailrace node. */
  | "not_tailrace"
  /** The peer cannot be reached, or broke off. */
  | "unreachable"
  /** The peer answered something that the protocol does not allow. */
  | "protocol_violation"
  /** The requested segment has never existed. */
  | "segment_unknown"
  /** The requested segment is gone by retention. */
  | "segment_trimmed"
  /** The cursor lies past the end of its segment. */
  | "offset_out_of_range"
  /** The asker follows another log than this node has. */
  | "log_diverged"
  /** Nothing is served at that path, or not by that method. */
  | "not_found"
  /** No snapshot of that generation. */
  | "snapshot_unknown"
  /** No replica of that id is tracked. */
  | "replica_unknown"
  /** The request is not permitted: it acts, and comes from a page of another site. */
  | "forbidden"
  /** Too much is asked at once; try after the stated pause. */
  | "overloaded"
  /** The node is starting or stopping, and cannot answer yet. */
  | "not_ready"
  /** A stated time limit ran out. */
  | "timeout"
  /** The object was closed. */
  | "closed"
  /** A bug in Tailrace. */
  | "internal";

export interface ErrorDetails {
  /** What to do about it, one sentence. */
  readonly hint?: string;
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** Every error that Tailrace throws on purpose. */
export class TailraceError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "TailraceError";
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
  }
}

/** A TailraceError as plain data: what crosses a thread or stands in a status document. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;
}

const SHORTAGE_HINT =
  "Look at the disk's free space, the limit of open files (ulimit -n) and the system's log.";

/**
 * The given value as a TailraceError. What the machine lacks, said by the operating system, by SQLite or by Node itself,
 * is `storage_failed` and passes; whatever else the operating system has against a path is `storage_failed`, and stays;
 * anything else that is foreign becomes `internal`, with the value as its cause.
 */
export function asTailraceError(value: unknown): TailraceError {
  if (value instanceof TailraceError) return value;
  const message = value instanceof Error ? value.message : String(value);
  const passes = isShortage(value);
  if (!passes && !isOfPath(value)) return new TailraceError("internal", message, { cause: value });
  const hint =
    systemHint(value) ?? (passes ? SHORTAGE_HINT : "See what stands at that path, and who may use it.");
  return new TailraceError("storage_failed", message, { cause: value, retryable: passes, hint });
}

export function toErrorData(value: unknown): ErrorData {
  const { code, message, hint, retryable } = asTailraceError(value);
  return { code, message, hint, retryable };
}

export function fromErrorData({ code, message, hint, retryable }: ErrorData): TailraceError {
  return new TailraceError(code, message, { retryable, ...(hint === undefined ? {} : { hint }) });
}

/** Throws `internal` unless the condition holds: for what only a bug can break. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new TailraceError("internal", `assertion failed: ${what}`);
}
