import { TailraceError } from "../shared/errors.ts";
import type { StatePoint } from "../shared/format/position.ts";
import { isPageSize } from "../shared/format/record.ts";
import { MIN_BYTES_PER_SECOND } from "../shared/protocol.ts";
import { AnswerHeaders, assertTailrace, peerError, violation } from "./answers.ts";
import type { Transport } from "./transport.ts";

/** What a node says of its newest snapshot. */
export interface SnapshotHead {
  readonly generation: number;
  readonly etag: string;
  readonly logId: string;
  readonly epoch: number;
  readonly pageSizeBytes: number;
  readonly state: StatePoint;
}

/** The most of an error document that is looked at. */
const MAX_PROBLEM_BYTES = 64 * 1024;
const LATEST = "/snapshot/latest";
/** The database checksum says as much, and the node need not read the whole image first. */
const WITHOUT_DIGEST = { "want-repr-digest": "sha-256=0" };
/** A download that comes more slowly than MIN_BYTES_PER_SECOND is broken off after so long beside. Another try goes on there. */
const GRACE_MS = 60_000;

export function imageBytes({ pageSizeBytes, state }: SnapshotHead): number {
  return state.pageCount * pageSizeBytes;
}

/** A refusal to go on with an answer; nothing is wrong with it. */
export interface RangeSink {
  /** @param offset of the first byte to come in the image. @returns false to end the request here */
  start(head: SnapshotHead, offset: number): boolean;
  data(bytes: Buffer): void;
}

/** A node's snapshots over the wire. Checks what it is told; the bytes of pages are the caller's to verify. */
export class SnapshotClient {
  /** Bytes of bodies that came, of images and page checksums. */
  fetchedBytes = 0;
  private readonly transport: Transport;
  private readonly nowMs: () => number;

  /** @param nowMs monotonic */
  constructor(transport: Transport, nowMs: () => number) {
    this.transport = transport;
    this.nowMs = nowMs;
  }

  /** The newest snapshot, without its bytes. The node takes one if it has none: that can last. */
  async head(signal?: AbortSignal): Promise<SnapshotHead> {
    const what = `HEAD ${LATEST}`;
    const { status, headers, body } = await this.transport.get(LATEST, {
      method: "HEAD",
      headers: WITHOUT_DIGEST,
      maxBodyBytes: MAX_PROBLEM_BYTES,
      headersTimeoutMs: TAKING_A_SNAPSHOT_MS,
      ...(signal === undefined ? {} : { signal }),
    });
    assertTailrace(status, headers, what);
    if (status !== 200) throw peerError(status, headers, body, what);
    return parseHead(new AnswerHeaders(headers, what), what);
  }

  /**
   * Bytes of the newest snapshot from an offset up to its end, or to `until` (exclusive). With an etag, they are those
   * of that snapshot from the offset, or else those of a newer one from 0: the sink is told which.
   */
  async read(
    range: {
      readonly from: number;
      readonly until?: number;
      readonly etag?: string;
      readonly signal?: AbortSignal;
    },
    sink: RangeSink,
  ): Promise<void> {
    const { from, until, etag, signal } = range;
    const isPartial = from > 0 || until !== undefined;
    const headers: Record<string, string> = { "accept-encoding": "identity", ...WITHOUT_DIGEST };
    if (isPartial) headers["range"] = `bytes=${from}-${until === undefined ? "" : until - 1}`;
    if (isPartial && etag !== undefined) headers["if-range"] = etag;
    const what = `GET ${LATEST}`;
    let expected = 0;
    let received = 0;
    await this.stream(LATEST, { headers, signal }, what, {
      start: (status, answer) => {
        const head = parseHead(answer, what);
        const total = imageBytes(head);
        const offset = status === 206 ? rangeStart(answer, total, what) : 0;
        if (status === 206 && (offset !== from || (etag !== undefined && head.etag !== etag)))
          throw violation(`${what}: asked for bytes from ${from} of ${etag}, got ${offset} of ${head.etag}`);
        expected = (status === 206 ? Math.min(until ?? total, total) : total) - offset;
        const isWanted = sink.start(head, offset);
        if (!isWanted) expected = 0;
        return isWanted;
      },
      data: (bytes) => {
        received += bytes.length;
        if (received > expected) throw violation(`${what}: more than the ${expected} bytes announced`);
        sink.data(bytes);
      },
    });
    if (received < expected) throw violation(`${what}: ${received} bytes of ${expected}`);
  }

  /** The page hashes of one generation: 8 bytes a page. @throws snapshot_unknown when it is gone */
  async pageChecksums(
    { generation, state }: SnapshotHead,
    onData: (bytes: Buffer) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const target = `/snapshot/${generation}/page-checksums`;
    const what = `GET ${target}`;
    const expected = state.pageCount * 8;
    let received = 0;
    await this.stream(target, { headers: { "accept-encoding": "identity" }, signal }, what, {
      start: () => true,
      data: (bytes) => {
        received += bytes.length;
        if (received > expected) throw violation(`${what}: more than ${expected} bytes`);
        onData(bytes);
      },
    });
    if (received !== expected) throw violation(`${what}: ${received} bytes, where ${expected} belong`);
  }

  private async stream(
    target: string,
    options: { readonly headers: Record<string, string>; readonly signal: AbortSignal | undefined },
    what: string,
    sink: { start(status: number, headers: AnswerHeaders): boolean; data(bytes: Buffer): void },
  ): Promise<void> {
    const { headers, signal } = options;
    let startMs = 0;
    let received = 0;
    let problem:
      | { status: number; headers: ReadonlyMap<string, string>; parts: Buffer[]; size: number }
      | undefined;
    await this.transport.stream(
      target,
      { headers, headersTimeoutMs: TAKING_A_SNAPSHOT_MS, ...(signal === undefined ? {} : { signal }) },
      {
        start: (status, answer) => {
          startMs = this.nowMs();
          assertTailrace(status, answer, what);
          if (status === 200 || status === 206) return sink.start(status, new AnswerHeaders(answer, what));
          problem = { status, headers: answer, parts: [], size: 0 };
          return true;
        },
        data: (bytes) => {
          this.fetchedBytes += bytes.length;
          received += bytes.length;
          const lateMs = this.nowMs() - startMs - GRACE_MS;
          if (received < (lateMs * MIN_BYTES_PER_SECOND) / 1000) throw tooSlow(what, received);
          if (problem === undefined) return sink.data(bytes);
          problem.size += bytes.length;
          if (problem.size <= MAX_PROBLEM_BYTES) problem.parts.push(Buffer.from(bytes));
        },
      },
    );
    if (problem !== undefined)
      throw peerError(problem.status, problem.headers, Buffer.concat(problem.parts), what);
  }
}

function tooSlow(what: string, bytes: number): TailraceError {
  return new TailraceError("timeout", `${what}: no more than ${bytes} bytes in more than ${GRACE_MS} ms`, {
    retryable: true,
  });
}

/** A primary that has no snapshot yet takes one first: a pass over its database. */
const TAKING_A_SNAPSHOT_MS = 10 * 60_000;

/** A replica's log begins with a hole of so many bytes: no transaction, and so no segment, is as long. */
const MAX_SEGMENT_BYTES = 2 ** 40;

function parseHead(headers: AnswerHeaders, what: string): SnapshotHead {
  const pageSizeBytes = headers.number("snapshot-page-size");
  const pageCount = headers.number("snapshot-page-count");
  if (!isPageSize(pageSizeBytes) || pageCount > 0xfffffffe)
    throw violation(`${what}: a snapshot of ${pageCount} pages of ${pageSizeBytes} bytes`);
  const cursor = headers.cursor("wal-segment", "wal-offset");
  if (cursor.offset > MAX_SEGMENT_BYTES)
    throw violation(`${what}: the log goes on at offset ${cursor.offset}`);
  return {
    generation: headers.number("snapshot-generation"),
    etag: headers.text("etag"),
    logId: headers.hex("wal-log-id", 32),
    epoch: headers.number("wal-epoch"),
    pageSizeBytes,
    state: {
      txid: headers.number("snapshot-txid"),
      cursor,
      checksum: BigInt(`0x${headers.hex("snapshot-database-checksum", 16)}`),
      pageCount,
    },
  };
}

function rangeStart(headers: AnswerHeaders, totalBytes: number, what: string): number {
  const text = headers.text("content-range");
  const match = /^bytes (\d{1,16})-\d{1,16}\/(\d{1,16})$/.exec(text);
  if (match === null || Number(match[2]) !== totalBytes)
    throw violation(`${what}: content-range ${JSON.stringify(text)} of an image of ${totalBytes} bytes`);
  return Number(match[1]);
}
