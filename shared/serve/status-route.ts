import { setTimeout as pause } from "node:timers/promises";
import { PROTOCOL_VERSION } from "../protocol.ts";
import type { StatusDocument } from "../status.ts";
import type { NodeHead } from "./engine.ts";
import type { NodeContext, Parts } from "./parts.ts";

/** An engine that does not answer in this time (starting, or busy beyond measure) is left out of the document. */
const ENGINE_STATUS_MS = 1000;

/** `GET /status`: what the engine tells of itself, and what is known here of the node and its replicas. */
export function statusRoute(parts: Parts): (c: NodeContext) => Promise<Response> {
  const { role, state, chunks, replicas, waiters, downloads, clock, startedMs } = parts;
  return async (c) => {
    const engine = await engineStatus(parts);
    const { unready, lastHead: head } = state;
    const document: StatusDocument = {
      protocol: PROTOCOL_VERSION,
      role,
      isReady: unready === undefined,
      unready: unready === undefined ? null : { code: unready.code, message: unready.message },
      startedMs,
      nowMs: clock(),
      log: head === undefined ? null : logOf(head),
      waitingRequests: waiters.count,
      downloads: downloads.count,
      replicas: await replicas.list(head, async (from, to) =>
        head === undefined ? null : chunks.bytesBetween(head, from, to),
      ),
    };
    return c.json({ ...engine, ...document, ...mergedLog(engine, document) }, 200, {
      "cache-control": "no-store",
    });
  };
}

async function engineStatus({ state }: Parts): Promise<Record<string, unknown>> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      state.status(),
      pause(ENGINE_STATUS_MS, {}, { ref: false, signal: timer.signal }),
    ]);
  } catch {
    return {}; // it has stopped: `unready` says so
  } finally {
    timer.abort();
  }
}

function logOf(head: NodeHead): StatusDocument["log"] {
  const { logId, epoch, pageSizeBytes, start, end, txid, commitTimeMs, databaseChecksum } = head;
  return {
    logId,
    epoch,
    pageSizeBytes,
    start,
    end,
    headTxid: txid,
    headTimeMs: commitTimeMs,
    databaseChecksum,
  };
}

/** The engine may know more of its log than the head says. */
function mergedLog(
  engine: Record<string, unknown>,
  { log }: StatusDocument,
): { log?: Record<string, unknown> } {
  const more = engine["log"];
  return log !== null && typeof more === "object" && more !== null ? { log: { ...more, ...log } } : {};
}
