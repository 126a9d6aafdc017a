import { METRICS_CONTENT_TYPE, joined } from "../metrics/joined.ts";
import { processUsage } from "../metrics/process-usage.ts";
import type { NodeContext, Parts } from "./parts.ts";

/**
 * `GET /metrics`: what this thread and the engine's count, for Prometheus. Takes about a second at most. Who asks while
 * that is under way gets the same: many at once open no file each, and draw it no more than once.
 */
export function metricsRoute(parts: Parts): (c: NodeContext) => Promise<Response> {
  let drawing: Promise<string> | undefined;
  return async (c) => {
    drawing ??= draw(parts).finally(() => (drawing = undefined));
    return c.body(await drawing, 200, { "content-type": METRICS_CONTENT_TYPE, "cache-control": "no-store" });
  };
}

async function draw(parts: Parts): Promise<string> {
  const { role, version, startedMs, state, status, engineMetrics, metrics, limits } = parts;
  // Asking for the status first tells the engine what was seen of replicas since the last report.
  const [, engine, usage] = await Promise.all([status.read(), engineMetrics.read(), processUsage()]);
  const { chunks, waiters, downloads, connections } = parts;
  const own = await metrics.json({
    version,
    role,
    startedMs,
    isReady: state.unready === undefined,
    isEngineAnswering: engine.isAnswering,
    engineAsOfMs: engine.asOfMs,
    waitingRequests: { now: waiters.count, max: limits.maxWaitingRequests },
    downloads: { now: downloads.count, max: limits.maxDownloads },
    connections: { now: connections.count, max: limits.maxConnections },
    cacheBytes: { now: chunks.cachedBytes, max: limits.cacheBytes },
    inFlightBytes: { now: chunks.inFlightBytes, max: limits.maxInFlightBytes },
    chunks: chunks.counts,
    usage,
  });
  return await joined([own, engine.metrics]);
}
