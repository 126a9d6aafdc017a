import type { ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { TailraceError } from "../errors.ts";
import { compareCursors } from "../format/cursor.ts";
import { HEADER, parseAskerHistory, parseWalQuery } from "../protocol.ts";
import type { AskerHistory, WalQuery } from "../protocol.ts";
import { chooseEncoding } from "./accept-encoding.ts";
import type { Encoding } from "./accept-encoding.ts";
import type { Chunk, ChunkPlace } from "./chunk-source.ts";
import { isNoneMatch } from "./conditional.ts";
import type { NodeHead } from "./engine.ts";
import type { NodeContext, Parts } from "./parts.ts";
import { timeHeaders } from "./time-headers.ts";

/** `GET /wal`: log bytes from a cursor on, held until there are some where the asker wishes. */
export function walRoute(parts: Parts): (c: NodeContext) => Promise<Response> {
  return async (c) => {
    const { incoming, outgoing } = c.env;
    const query = parseWalQuery(new URL(c.req.url).searchParams);
    const asker = parseAskerHistory(incoming.headers);
    const encoding = chooseEncoding(incoming.headers["accept-encoding"]);
    const { head, headMs, place, answered } = await findChunk(parts, query, asker, outgoing);
    if (outgoing.destroyed) {
      answered();
      return RESPONSE_ALREADY_SENT;
    }
    const headers = {
      ...placeHeaders(head, place),
      ...timeHeaders(head, headMs, parts.reporter.pendingSinceMs),
    };
    if (isImmutable(head, place)) {
      const etags = [entityTag(head, place, encoding), entityTag(head, place, "identity")] as const;
      if (isNoneMatch(incoming.headers["if-none-match"], etags)) {
        answered(place.next);
        outgoing.writeHead(304, { ...headers, ...cachingHeaders(etags[0]) }).end();
        return RESPONSE_ALREADY_SENT;
      }
    }
    try {
      const { chunk, release } = await parts.chunks.hold(head, place, encoding);
      if (outgoing.destroyed) release();
      else outgoing.once("close", release);
      send(
        outgoing,
        incoming.method === "HEAD",
        { ...headers, ...chunkHeaders(head, place, chunk) },
        chunk.body,
      );
      count(parts, incoming.method, place, chunk);
      answered(place.next);
      void parts.chunks.readAhead(head, place, query.max_bytes, encoding);
    } finally {
      answered();
    }
    return RESPONSE_ALREADY_SENT;
  };
}

function count(
  { metrics }: Parts,
  method: string | undefined,
  { lengthBytes }: ChunkPlace,
  { body }: Chunk,
): void {
  if (method === "HEAD" || lengthBytes === 0) return;
  metrics.chunkBytes.observe(lengthBytes);
  metrics.sentBytes.inc(SENT_LOG, body.length);
}

const SENT_LOG = { kind: "wal" };

async function findChunk(
  { state, waiters, chunks, sightings, clock }: Parts,
  query: WalQuery,
  asker: AskerHistory,
  outgoing: ServerResponse,
): Promise<{
  head: NodeHead;
  /** When that was the head, Unix ms. */
  headMs: number;
  place: ChunkPlace;
  answered: (sent?: ChunkPlace["next"]) => void;
}> {
  const cursor = { segment: query.segment, offset: query.offset };
  // Sockets and the engine's port are read in any order within one turn. What was acknowledged before this was asked is in it.
  await setImmediate();
  let head = state.head();
  let headMs = clock();
  refuseOtherHistory(head, asker, query.applied_txid);
  let place = await chunks.locate(head, cursor, query.max_bytes);
  const answered =
    query.replica_id === undefined
      ? () => {}
      : sightings.asked(query.replica_id, {
          address: outgoing.socket?.remoteAddress ?? null,
          cursor,
          appliedTxid: query.applied_txid ?? null,
        });
  try {
    if (place.lengthBytes === 0 && !place.isSealed && query.wait_ms > 0) {
      await waiters.wait(head.logId, cursor, query.wait_ms, (resume) => outgoing.once("close", resume));
      head = state.head();
      headMs = clock();
      refuseOtherHistory(head, asker, query.applied_txid);
      place = await chunks.locate(head, cursor, query.max_bytes);
    }
    return { head, headMs, place, answered };
  } catch (error) {
    answered();
    throw error;
  }
}

/** @throws log_diverged, stale_epoch */
function refuseOtherHistory(head: NodeHead, asker: AskerHistory, appliedTxid: number | undefined): void {
  if (asker.logId !== undefined && asker.logId !== head.logId) {
    throw new TailraceError("log_diverged", `this node has log ${head.logId}, not ${asker.logId}`, {
      hint: "Resync from GET /snapshot/latest.",
    });
  }
  const isComparable = asker.appliedChecksum !== undefined && appliedTxid === head.txid;
  if (isComparable && asker.appliedChecksum !== head.databaseChecksum) {
    throw new TailraceError(
      "log_diverged",
      `transaction ${head.txid} of this node has database checksum ${head.databaseChecksum}, not ${asker.appliedChecksum}`,
      { hint: "Resync from GET /snapshot/latest." },
    );
  }
  if (asker.epoch !== undefined && asker.epoch > head.epoch) {
    throw new TailraceError(
      "stale_epoch",
      `this node is at epoch ${head.epoch}, the asker has seen ${asker.epoch}`,
      {
        hint: "Another primary has taken over this log: follow that one.",
      },
    );
  }
}

function placeHeaders(head: NodeHead, { next }: ChunkPlace): Record<string, string> {
  return {
    [HEADER.nextSegment]: String(next.segment),
    [HEADER.nextOffset]: String(next.offset),
    [HEADER.eof]: compareCursors(next, head.end) >= 0 ? "1" : "0",
    [HEADER.logId]: head.logId,
    [HEADER.epoch]: String(head.epoch),
    [HEADER.headTxid]: String(head.txid),
    [HEADER.headSegment]: String(head.end.segment),
    [HEADER.headOffset]: String(head.end.offset),
    ...(head.commitTimeMs === null ? {} : { [HEADER.headTime]: String(head.commitTimeMs) }),
    // A cache in between must not answer who has seen another history, or a later epoch of this one, out of the old one.
    vary: `accept-encoding, ${HEADER.logId}, ${HEADER.epoch}`,
  };
}

function chunkHeaders(head: NodeHead, place: ChunkPlace, chunk: Chunk): Record<string, string> {
  return {
    [HEADER.checksum]: `crc32:${chunk.crc}`,
    "content-type": "application/octet-stream",
    "content-length": String(chunk.body.length),
    ...(chunk.encoding === "identity" ? {} : { "content-encoding": chunk.encoding }),
    ...(isImmutable(head, place)
      ? cachingHeaders(entityTag(head, place, chunk.encoding))
      : { "cache-control": "no-store" }),
  };
}

/** A chunk of a sealed segment with more behind it is the same for ever, `wal-eof` included. */
function isImmutable(head: NodeHead, { isSealed, lengthBytes, next }: ChunkPlace): boolean {
  return isSealed && lengthBytes > 0 && compareCursors(next, head.end) < 0;
}

function entityTag(head: NodeHead, { cursor, lengthBytes }: ChunkPlace, encoding: Encoding): string {
  const suffix = encoding === "identity" ? "" : `-${encoding}`;
  return `"${head.logId}-${cursor.segment}-${cursor.offset}-${lengthBytes}${suffix}"`;
}

function cachingHeaders(etag: string): Record<string, string> {
  return { etag, "cache-control": "public, max-age=31536000, immutable" };
}

function send(
  outgoing: ServerResponse,
  isHead: boolean,
  headers: Record<string, string>,
  body: Buffer,
): void {
  outgoing.writeHead(200, headers);
  if (isHead) outgoing.end();
  else outgoing.end(body);
}
