import { setTimeout as pause } from "node:timers/promises";
import type { SnapshotTakenDocument, SnapshotsDocument } from "../../admin.ts";
import type { NodeDocument } from "../../plan/health.ts";
import { parseTakeSnapshotQuery } from "../../protocol.ts";
import type { SnapshotStatus } from "../../status.ts";
import type { SnapshotInfo } from "../engine.ts";
import type { NodeContext, Parts } from "../parts.ts";

/** `GET /admin/snapshots` */
export function snapshotsRoute({ status }: Parts): (c: NodeContext) => Promise<Response> {
  return async (c) => {
    const { nowMs, snapshots, snapshotSinceMs = null } = (await status.read()) as NodeDocument;
    const document: SnapshotsDocument = { nowMs, snapshots, snapshotSinceMs };
    return c.json(document, 200, { "cache-control": "no-store" });
  };
}

/** `POST /admin/snapshots`: 201 with the new one, or 202 while it is still being taken. */
export function takeSnapshotRoute(parts: Parts): (c: NodeContext) => Promise<Response> {
  const { state, status } = parts;
  return async (c) => {
    const { wait_ms: waitMs } = parseTakeSnapshotQuery(new URL(c.req.url).searchParams);
    const taking = state.takeSnapshot();
    const ended = new AbortController();
    const info = await Promise.race([
      taking,
      pause(waitMs, undefined, { signal: ended.signal }).catch(() => undefined),
    ]).finally(() => ended.abort());
    if (info !== undefined) {
      const document: SnapshotTakenDocument = { snapshot: await statusOf(info, parts) };
      return c.json(document, 201, { "cache-control": "no-store" });
    }
    // Nobody waits for it any more; if it fails, that stands in the status.
    taking.catch(() => undefined);
    const { snapshotSinceMs = null } = (await status.read()) as NodeDocument;
    const document: SnapshotTakenDocument = { snapshotSinceMs };
    return c.json(document, 202, { "cache-control": "no-store" });
  };
}

async function statusOf(info: SnapshotInfo, { state, chunks, holds }: Parts): Promise<SnapshotStatus> {
  const { generation, txid, createdMs, pageCount, pageSizeBytes, databaseChecksum, cursor } = info;
  const head = state.lastHead;
  return {
    generation,
    txid,
    createdMs,
    sizeBytes: pageCount * pageSizeBytes,
    databaseChecksum,
    cursor,
    logBytesAfter: head === undefined ? null : await chunks.bytesBetween(head, cursor, head.end),
    downloads: holds.downloadsOf(generation),
  };
}
