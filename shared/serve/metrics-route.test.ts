import { afterEach, describe, expect, test } from "vitest";
import { ServingNode } from "../../test/harness/serving-node.ts";
import { EventLoopDelay } from "../metrics/event-loop.ts";
import { PrimaryEngineMetrics } from "../metrics/primary-engine.ts";
import type { PrimaryEngineStatus } from "../status.ts";

const nodes: ServingNode[] = [];

afterEach(async () => {
  for (const node of nodes.splice(0)) await node[Symbol.asyncDispose]();
});

async function start(...options: Parameters<typeof ServingNode.start>): Promise<ServingNode> {
  const started = await ServingNode.start(...options);
  nodes.push(started);
  started.announce();
  return started;
}

/** Name and labels → value, as Prometheus reads it. */
async function scrape({ url }: ServingNode): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`);
  expect(response.status).toBe(200);
  const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1)),
    ]),
  );
}

async function get(url: string, init: RequestInit = {}): Promise<void> {
  const headers = { "accept-encoding": "identity" };
  await (await fetch(url, { ...init, headers })).arrayBuffer();
}

describe("GET /metrics", () => {
  test("says what it is, and is never kept", async () => {
    const { url } = await start();
    const { headers } = await fetch(`${url}/metrics`);
    expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("counts requests by route and status, whatever the path", async () => {
    const serving = await start();
    serving.commit(3);
    await get(`${serving.url}/wal?segment=1&offset=0&max_bytes=1000`);
    await get(`${serving.url}/wal?segment=9&offset=0&max_bytes=1000`);
    await get(`${serving.url}/admin/replicas/edge-1`, { method: "DELETE" });
    await get(`${serving.url}/wp-login.php`);
    await get(`${serving.url}/status`, { method: "PUT" });
    const seen = await scrape(serving);
    expect(seen.get('tailrace_http_requests_total{route="/wal",status="200"}')).toBe(1);
    expect(seen.get('tailrace_http_requests_total{route="/wal",status="404"}')).toBe(1);
    expect(seen.get('tailrace_http_requests_total{route="/admin/replicas/:id",status="404"}')).toBe(1);
    expect(seen.get('tailrace_http_requests_total{route="other",status="404"}')).toBe(1);
    expect(seen.get('tailrace_http_requests_total{route="/status",status="405"}')).toBe(1);
  });

  test("counts what is sent, and what the cache spares", async () => {
    const serving = await start();
    serving.commit(5);
    const chunk = `${serving.url}/wal?segment=1&offset=0&max_bytes=1500`;
    await get(chunk);
    await get(chunk);
    await get(chunk, { method: "HEAD" });
    await get(`${serving.url}/snapshot/latest`);
    const seen = await scrape(serving);
    expect(seen.get('tailrace_sent_bytes_total{kind="wal"}')).toBe(3000);
    expect(seen.get("tailrace_wal_chunk_bytes_count")).toBe(2);
    expect(seen.get("tailrace_wal_chunk_bytes_sum")).toBe(3000);
    expect(seen.get("tailrace_chunk_cache_misses_total")).toBe(1);
    expect(seen.get("tailrace_chunk_cache_hits_total")).toBe(2);
    expect(seen.get("tailrace_chunk_cache_bytes")).toBe(1500);
    expect(seen.get("tailrace_in_flight_bytes")).toBe(0);
    expect(seen.get('tailrace_sent_bytes_total{kind="snapshot"}')).toBe(7 * 512);
  });

  test("shows what is waiting, and its limit", async () => {
    const serving = await start({ limits: { maxWaitingRequests: 7 } });
    const gone = new AbortController();
    const { segment, offset } = serving.head.end;
    const waiting = fetch(
      `${serving.url}/wal?segment=${segment}&offset=${offset}&max_bytes=1&wait_ms=20000`,
      {
        signal: gone.signal,
      },
    );
    for (let tries = 0; tries < 1000; tries++)
      if ((await scrape(serving)).get("tailrace_waiting_requests") === 1) break;
    const seen = await scrape(serving);
    expect(seen.get("tailrace_waiting_requests")).toBe(1);
    expect(seen.get("tailrace_waiting_requests_max")).toBe(7);
    expect(seen.get("tailrace_connections")).toBeGreaterThanOrEqual(2);

    // It goes without an answer.
    gone.abort();
    await expect(waiting).rejects.toThrow();
    const left = 'tailrace_http_requests_total{route="/wal",status="499"}';
    for (let tries = 0; tries < 1000; tries++) if ((await scrape(serving)).has(left)) break;
    expect((await scrape(serving)).get(left)).toBe(1);
  });

  test("the engine has been told what was seen of replicas before it is asked", async () => {
    const serving = await start();
    const { engine, url } = serving;
    serving.commit(1);
    await get(`${url}/wal?segment=1&offset=0&max_bytes=1000&replica_id=edge-1`);
    let known: number | undefined;
    const methods = engine.methods as { metrics: unknown };
    methods.metrics = () => {
      known = engine.reports.flatMap(({ sightings }) => sightings).at(-1)?.received.offset;
      return [];
    };
    await scrape(serving);
    expect(known).toBe(0);
    // Of one that it knows, it would be told later.
    const { segment, offset } = serving.head.end;
    await get(`${url}/wal?segment=${segment}&offset=${offset}&max_bytes=1000&replica_id=edge-1`);
    await scrape(serving);
    expect(known).toBe(offset);
  });

  test("while the engine hangs: its last word, and that it does not answer", async () => {
    let nowMs = 1_700_000_000_000;
    const serving = await start({ clock: () => nowMs, limits: { engineStatusMs: 1000 } });
    const eventLoop = new EventLoopDelay("engine", () => 0);
    const engine = new PrimaryEngineMetrics(eventLoop);
    engine.caughtUpMs = nowMs;
    const methods = serving.engine.methods as { metrics: unknown };
    methods.metrics = () => engine.json(null);
    const well = await scrape(serving);
    expect(well.get("tailrace_engine_answering")).toBe(1);

    methods.metrics = () => new Promise<PrimaryEngineStatus>(() => {});
    nowMs += 60_000;
    const seen = await scrape(serving);
    expect(seen.get("tailrace_engine_answering")).toBe(0);
    expect(seen.get("tailrace_engine_timestamp_seconds")).toBe(1_700_000_000);
    expect(seen.get("tailrace_capture_timestamp_seconds")).toBe(1_700_000_000);
    expect(seen.get("tailrace_ready")).toBe(1);
    eventLoop.close();
  });

  test("without an engine: the server's part", async () => {
    const serving = await start();
    serving.closeEngine();
    let seen = await scrape(serving);
    for (let tries = 0; tries < 1000 && seen.get("tailrace_ready") === 1; tries++)
      seen = await scrape(serving);
    expect(seen.get("tailrace_ready")).toBe(0);
    expect(seen.get("tailrace_engine_answering")).toBe(0);
    expect(seen.get('tailrace_build_info{version="1.2.3",role="primary"}')).toBe(1);
    expect(seen.get("tailrace_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect([...seen.keys()].join("\n")).not.toContain("tailrace_commits_total");
  });
});
