import { crc32, gunzipSync, zstdDecompressSync } from "node:zlib";
import { TailraceError, asTailraceError } from "../shared/errors.ts";
import { SEGMENT_HEADER_BYTES } from "../shared/format/segment.ts";
import { alignedBuffer } from "../shared/format/wal.ts";
import { HEADER } from "../shared/protocol.ts";
import { hex64 } from "../shared/units.ts";
import type { Cursor, DatabaseChecksum, Txid } from "../shared/units.ts";
import { AnswerHeaders, assertTailrace, peerError, violation } from "./answers.ts";
import { assertNotStale } from "./fencing.ts";
import type { Transport } from "./transport.ts";

/**
 * How long the primary may hold a request for which it has nothing: so long can it hang before anybody knows. Well below
 * the idle limits of common proxies.
 */
export const LONG_POLL_MS = 10_000;
/** On top of it, for the way there and back. */
const HEADERS_SLACK_MS = 15_000;
/** The most that is asked for at once. */
export const CHUNK_BYTES: number = 4 << 20;
/** The least after bodies that were not here in time, and by how much each that was lets it grow again. */
const CHUNK_STEP_BYTES = 64 << 10;

const FRAMING_BYTES = 64 * 1024;
const MAX_DATE_MS = 8.64e15;

export interface ChunkRequest {
  readonly cursor: Cursor;
  /** The history and epoch that this replica is at. */
  readonly logId: string;
  readonly epoch: number;
  /** The replica's word on how far it is. */
  readonly appliedTxid: Txid;
  /** The database's checksum there: a node that has another at that transaction answers log_diverged. */
  readonly appliedChecksum?: DatabaseChecksum;
  readonly maxBytes: number;
  readonly waitMs: number;
  /** What is before the cursor need not be on the disk here: the request is not made by the replica's name, and vouches for nothing. */
  readonly isAhead?: boolean;
  readonly signal?: AbortSignal;
}

/** The primary's newest durable transaction when it answered. */
export interface PeerHead {
  readonly txid: Txid;
  readonly cursor: Cursor;
  /** Unix ms; null before the first commit. */
  readonly commitTimeMs: number | null;
  /** The primary's clock at the answer, Unix ms; null where the node does not tell it, or a cache answers for it. */
  readonly primaryTimeMs: number | null;
  /** For how long the node has not known whether this is the primary's newest; 0: it is. Null: it cannot tell. */
  readonly ageMs: number | null;
}

/**
 * A verified piece of the log: it may end anywhere in a record, never past the end of a segment. Its bytes are good until
 * the next chunk is asked for.
 */
export interface Chunk {
  readonly from: Cursor;
  readonly bytes: Buffer;
  readonly next: Cursor;
  /** Nothing more was durable on the primary. */
  readonly isEof: boolean;
  readonly epoch: number;
  readonly head: PeerHead;
}

/** Asks a node for its log, and believes nothing of the answer that it has not checked. */
export class Receiver {
  private readonly transport: Transport;
  private readonly replicaId: string;
  private readonly encodings: string;
  /** For one body at a time; requests beside that one get memory of their own. */
  private readonly body = alignedBuffer(CHUNK_BYTES + FRAMING_BYTES);
  private isBodyInUse = false;
  /** What is asked for at most: as much as comes over a slow link in the time that a body has. */
  private chunkBytes = CHUNK_BYTES;

  /** @param isCompressed whether to ask for compressed bodies: worth it over a wide network only */
  constructor({
    transport,
    replicaId,
    isCompressed,
  }: {
    readonly transport: Transport;
    readonly replicaId: string;
    readonly isCompressed: boolean;
  }) {
    this.transport = transport;
    this.replicaId = replicaId;
    this.encodings = isCompressed ? "zstd, gzip" : "identity";
  }

  /**
   * @throws unreachable, timeout, not_tailrace, protocol_violation, stale_epoch, and what the node states:
   * segment_trimmed, segment_unknown, offset_out_of_range, log_diverged, overloaded, not_ready
   */
  async fetch(request: ChunkRequest): Promise<Chunk> {
    const { chunkBytes } = this;
    try {
      const chunk = await this.fetchUpTo({ ...request, maxBytes: Math.min(request.maxBytes, chunkBytes) });
      this.chunkBytes = Math.min(chunkBytes + CHUNK_STEP_BYTES, CHUNK_BYTES);
      return chunk;
    } catch (error) {
      if (asTailraceError(error).code === "timeout")
        this.chunkBytes = Math.max(chunkBytes / 4, CHUNK_STEP_BYTES);
      throw error;
    }
  }

  private async fetchUpTo(request: ChunkRequest): Promise<Chunk> {
    const isOwn = this.isBodyInUse || request.maxBytes > CHUNK_BYTES;
    if (isOwn) return await this.get(request, undefined);
    this.isBodyInUse = true;
    try {
      return await this.get(request, this.body);
    } finally {
      this.isBodyInUse = false;
    }
  }

  private async get(request: ChunkRequest, into: Buffer | undefined): Promise<Chunk> {
    const {
      cursor,
      appliedTxid,
      appliedChecksum,
      maxBytes,
      waitMs,
      isAhead = false,
      logId,
      epoch,
      signal,
    } = request;
    const target =
      `/wal?segment=${cursor.segment}&offset=${cursor.offset}&max_bytes=${maxBytes}&wait_ms=${waitMs}` +
      `${isAhead ? "" : `&replica_id=${encodeURIComponent(this.replicaId)}`}&applied_txid=${appliedTxid}`;
    const answer = await this.transport.get(target, {
      headers: {
        "accept-encoding": this.encodings,
        [HEADER.logId]: logId,
        [HEADER.epoch]: String(epoch),
        ...(appliedChecksum === undefined ? {} : { [HEADER.appliedChecksum]: hex64(appliedChecksum) }),
      },
      // A compressed body is never longer than its content, but for a few bytes of framing; errors have a document.
      maxBodyBytes: maxBytes + FRAMING_BYTES,
      headersTimeoutMs: waitMs + HEADERS_SLACK_MS,
      ...(into === undefined ? {} : { into }),
      ...(signal === undefined ? {} : { signal }),
    });
    const what = `GET /wal at segment ${cursor.segment}, offset ${cursor.offset}`;
    assertTailrace(answer.status, answer.headers, what);
    if (answer.status !== 200) throw peerError(answer.status, answer.headers, answer.body, what);
    const headers = new AnswerHeaders(answer.headers, what);
    assertHistory(headers, request, what);
    return this.check(decode(answer.body, headers, maxBytes, what), headers, request, what);
  }

  private check(bytes: Buffer, headers: AnswerHeaders, { cursor }: ChunkRequest, what: string): Chunk {
    const expected = /^crc32:([0-9a-f]{8})$/.exec(headers.text("wal-checksum"))?.[1];
    const found = crc32(bytes).toString(16).padStart(8, "0");
    if (found !== expected)
      throw violation(`${what}: ${bytes.length} bytes arrive with CRC-32 ${found}, sent as ${expected}`);
    const next = headers.cursor("wal-next-segment", "wal-next-offset");
    const isWithin = next.segment === cursor.segment && next.offset === cursor.offset + bytes.length;
    // No segment ends before its first record.
    const isPast =
      next.segment === cursor.segment + 1 &&
      next.offset === 0 &&
      cursor.offset + bytes.length > SEGMENT_HEADER_BYTES;
    if (!isWithin && !isPast) {
      throw violation(
        `${what}: ${bytes.length} bytes cannot lead to segment ${next.segment}, offset ${next.offset}`,
      );
    }
    return {
      from: cursor,
      bytes,
      next,
      isEof: headers.text("wal-eof") === "1",
      epoch: headers.number("wal-epoch"),
      head: {
        txid: headers.number("wal-head-txid"),
        cursor: headers.cursor("wal-head-segment", "wal-head-offset"),
        commitTimeMs: timeOf(headers, "wal-head-time"),
        ...ageOf(headers),
      },
    };
  }
}

/** Unix ms, within what dates can show. */
function timeOf(headers: AnswerHeaders, name: string): number | null {
  return (headers.optional(name) ?? "") === "" ? null : headers.number(name, MAX_DATE_MS);
}

function ageOf(headers: AnswerHeaders): Pick<PeerHead, "primaryTimeMs" | "ageMs"> {
  const primaryTimeMs = timeOf(headers, HEADER.time);
  const freshTimeMs = timeOf(headers, HEADER.freshTime);
  // A replica that has not heard from its own source since it was started.
  if (primaryTimeMs === null) return { primaryTimeMs, ageMs: null };
  // A node that tells of another moment is behind, or out of touch, also where a clock was set and shows it otherwise.
  const ageMs = freshTimeMs === null ? 0 : Math.max(1, primaryTimeMs - freshTimeMs);
  const cacheSeconds = headers.optional("age") === undefined ? 0 : headers.number("age");
  if (cacheSeconds === 0) return { primaryTimeMs, ageMs };
  // A cache rounds down. What it tells of the primary's clock is of no use.
  return { primaryTimeMs: null, ageMs: ageMs + (cacheSeconds + 1) * 1000 };
}

/** @throws log_diverged for another history; stale_epoch for an earlier epoch of this one */
export function assertHistory(
  headers: AnswerHeaders,
  known: { readonly logId: string; readonly epoch: number },
  what: string,
): void {
  const logId = headers.hex("wal-log-id", 32);
  const epoch = headers.number("wal-epoch");
  if (logId !== known.logId) {
    throw new TailraceError(
      "log_diverged",
      `${what}: the node has log ${logId}, the replica follows ${known.logId}`,
      {
        hint: "The replica compares its pages with the node's and follows its log from there.",
      },
    );
  }
  assertNotStale(epoch, known.epoch, what);
}

function decode(body: Buffer, headers: AnswerHeaders, maxBytes: number, what: string): Buffer {
  const encoding = headers.optional("content-encoding") ?? "identity";
  // One byte of content at least, or zlib takes the limit for none.
  const limits = { maxOutputLength: Math.max(maxBytes, 1) };
  try {
    if (encoding === "zstd") return zstdDecompressSync(body, limits);
    if (encoding === "gzip") return gunzipSync(body, limits);
  } catch (error) {
    throw violation(`${what}: the body is not ${encoding}: ${String(error)}`);
  }
  if (encoding !== "identity")
    throw violation(`${what}: unknown content-encoding ${JSON.stringify(encoding)}`);
  if (body.length > maxBytes)
    throw violation(`${what}: ${body.length} bytes, where ${maxBytes} were asked for`);
  return body;
}
