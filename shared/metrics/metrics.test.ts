import { afterEach, describe, expect, test } from "vitest";
import { primaryStatus, replicaStatus } from "../../test/harness/status-documents.ts";
import type { PrimaryEngineStatus, ReplicaEngineStatus, ReplicaStatus } from "../status.ts";
import { EngineAnswers } from "./engine-answer.ts";
import { EventLoopDelay } from "./event-loop.ts";
import { joined } from "./joined.ts";
import { PrimaryEngineMetrics } from "./primary-engine.ts";
import { ReplicaEngineMetrics } from "./replica-engine.ts";
import { ServerMetrics } from "./server.ts";
import type { ServerView } from "./server.ts";

const loops: EventLoopDelay[] = [];

afterEach(() => {
  for (const loop of loops.splice(0)) loop.close();
});

function eventLoop(thread: string): EventLoopDelay {
  const loop = new EventLoopDelay(thread, () => 0);
  loops.push(loop);
  return loop;
}

function primaryDocument(changes: object = {}): PrimaryEngineStatus {
  return primaryStatus(changes) as PrimaryEngineStatus;
}

function view(changes: Partial<ServerView> = {}): ServerView {
  const bounded = { now: 1, max: 10 };
  return {
    version: "0.1.0",
    role: "primary",
    startedMs: 1000,
    isReady: true,
    isEngineAnswering: true,
    engineAsOfMs: 2000,
    waitingRequests: bounded,
    downloads: bounded,
    connections: bounded,
    cacheBytes: bounded,
    inFlightBytes: bounded,
    chunks: { hits: 3, misses: 4 },
    usage: { residentBytes: 5, cpuSeconds: 1.5, openDescriptors: null, maxDescriptors: null },
    ...changes,
  };
}

/** The samples of a text for Prometheus: name and labels → value. */
function samples(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

describe("an engine's metrics", () => {
  test("say what the status document says, in base units", async () => {
    const metrics = new PrimaryEngineMetrics(eventLoop("engine"));
    const seen = samples(await joined([await metrics.json(primaryDocument())]));
    expect(seen.get("tailrace_log_size_bytes")).toBe(139_332_800);
    expect(seen.get("tailrace_log_head_timestamp_seconds")).toBe(1_795_226_911.333);
    expect(seen.get("tailrace_snapshot_bytes")).toBe(1_073_741_824);
    expect(seen.get('tailrace_replicas{state="streaming"}')).toBe(1);
    expect(seen.get('tailrace_replicas{state="lost"}')).toBe(0);
    expect(seen.get('tailrace_replica_lag_seconds{replica="reporting"}')).toBe(7384.2);
  });

  test("what is not known has no sample, and never a 0", async () => {
    const metrics = new PrimaryEngineMetrics(eventLoop("engine"));
    const [edge] = primaryDocument().replicas;
    const unknown = { ...edge!, lagSeconds: null, bytesUntilLost: null };
    await metrics.json(primaryDocument());
    const seen = samples(
      await joined([await metrics.json(primaryDocument({ replicas: [unknown], snapshots: [], log: null }))]),
    );
    const names = [...seen.keys()].join("\n");
    expect(names).not.toContain("tailrace_replica_lag_seconds");
    expect(names).not.toContain("tailrace_replica_bytes_until_lost");
    expect(names).not.toContain("tailrace_snapshot_timestamp_seconds");
    expect(names).not.toContain("tailrace_log_size_bytes");
    expect(seen.get("tailrace_snapshots")).toBe(0);
    expect(seen.get('tailrace_replica_lag_bytes{replica="edge-1"}')).toBe(0);
    expect(names).not.toContain("tailrace_capture_timestamp_seconds");
  });

  test("without a document, what is counted is told all the same", async () => {
    const metrics = new PrimaryEngineMetrics(eventLoop("engine"));
    metrics.commits.inc(3);
    metrics.caughtUpMs = 7500;
    metrics.failed("storage_failed");
    const seen = samples(await joined([await metrics.json(null)]));
    expect(seen.get("tailrace_commits_total")).toBe(3);
    expect(seen.get("tailrace_capture_timestamp_seconds")).toBe(7.5);
    expect(seen.get('tailrace_errors_total{code="storage_failed"}')).toBe(1);
    expect([...seen.keys()].join("\n")).not.toContain("tailrace_log_size_bytes");
  });

  test("of a thousand replicas, the 200 worst have series", async () => {
    const metrics = new PrimaryEngineMetrics(eventLoop("engine"));
    const [edge] = primaryDocument().replicas;
    const replicas = Array.from({ length: 1000 }, (_, index): ReplicaStatus => ({
      ...edge!,
      id: `edge-${index}`,
      lagSeconds: index / 100,
    }));
    replicas[3] = { ...replicas[3]!, retention: "endangered" };
    replicas[5] = { ...replicas[5]!, lagSeconds: null };
    const seen = samples(await joined([await metrics.json(primaryDocument({ replicas }))]));
    const listed = [...seen.keys()].filter((name) => name.startsWith("tailrace_replica_lag_bytes{"));
    expect(listed).toHaveLength(200);
    expect(listed).toContain('tailrace_replica_lag_bytes{replica="edge-3"}');
    expect(listed).toContain('tailrace_replica_lag_bytes{replica="edge-5"}');
    expect(listed).toContain('tailrace_replica_lag_bytes{replica="edge-802"}');
    expect(listed).not.toContain('tailrace_replica_lag_bytes{replica="edge-801"}');
    expect(seen.get('tailrace_replicas{state="streaming"}')).toBe(1000);
  });

  test("of two nodes in one process are two things", async () => {
    const one = new ReplicaEngineMetrics(eventLoop("engine"), { maxBacklogBytes: 10 });
    const other = new ReplicaEngineMetrics(eventLoop("engine"), { maxBacklogBytes: 10 });
    one.applied(5, 0.1);
    one.failed("diverged");
    const document = replicaStatus() as ReplicaEngineStatus;
    expect(samples(await joined([await one.json(document)])).get("tailrace_divergences_total")).toBe(1);
    const seen = samples(await joined([await other.json(document)]));
    expect(seen.get("tailrace_applied_transactions_total")).toBe(0);
    expect(seen.get("tailrace_divergences_total")).toBe(0);
    expect(seen.get("tailrace_received_bytes_total")).toBe(139_332_720);
  });
});

describe("the metrics of a node", () => {
  test("are those of its threads, side by side", async () => {
    const [ofServer, ofEngine] = [eventLoop("server"), eventLoop("engine")];
    ofServer.samples = () => [[["server", "max"], 0.25]];
    ofEngine.samples = () => [[["engine", "max"], 0.5]];
    const server = new ServerMetrics(ofServer);
    const engine = new PrimaryEngineMetrics(ofEngine);
    server.requests.inc({ route: "/wal", status: 200 }, 4);
    engine.fsyncSeconds.observe(0.003);
    const text = await joined([await server.json(view()), await engine.json(primaryDocument())]);
    const seen = samples(text);
    expect(seen.get('tailrace_event_loop_delay_seconds{thread="server",stat="max"}')).toBe(0.25);
    expect(seen.get('tailrace_event_loop_delay_seconds{thread="engine",stat="max"}')).toBe(0.5);
    expect(seen.get('tailrace_http_requests_total{route="/wal",status="200"}')).toBe(4);
    expect(seen.get('tailrace_log_fsync_seconds_bucket{le="0.0025"}')).toBe(0);
    expect(seen.get('tailrace_log_fsync_seconds_bucket{le="0.005"}')).toBe(1);
    expect(seen.get('tailrace_build_info{version="0.1.0",role="primary"}')).toBe(1);
    expect([...seen.keys()].join("\n")).not.toContain("tailrace_open_descriptors");
    expect(text.match(/# HELP tailrace_event_loop_delay_seconds/g)).toHaveLength(1);
  });

  test("are told while the engine hangs: its last word stands, and it is asked once", async () => {
    let asked = 0;
    let nowMs = 1000;
    const word = [{ name: "tailrace_x" }] as never;
    let answer: Promise<never> = Promise.resolve(word);
    const answers = new EngineAnswers(
      () => {
        asked += 1;
        return answer;
      },
      () => nowMs,
      1,
    );
    expect(await answers.read()).toEqual({ metrics: word, asOfMs: 1000, isAnswering: true });

    const hanging = Promise.withResolvers<never>();
    answer = hanging.promise;
    nowMs = 5000;
    const stale = { metrics: word, asOfMs: 1000, isAnswering: false };
    expect(await answers.read()).toEqual(stale);
    expect(await answers.read()).toEqual(stale);
    expect(asked).toBe(2);

    hanging.resolve(word);
    expect(await answers.read()).toEqual({ metrics: word, asOfMs: 5000, isAnswering: true });
    answer = Promise.reject(new Error("the engine has stopped"));
    expect(await answers.read()).toEqual({ metrics: word, asOfMs: 5000, isAnswering: false });
  });

  test("are told while there is no engine", async () => {
    const answers = new EngineAnswers(
      () => Promise.reject(new Error("closed")),
      () => 0,
    );
    const { metrics, asOfMs, isAnswering } = await answers.read();
    const server = new ServerMetrics(eventLoop("server"));
    const seen = samples(
      await joined([
        await server.json(view({ isEngineAnswering: isAnswering, engineAsOfMs: asOfMs })),
        metrics,
      ]),
    );
    expect(seen.get("tailrace_engine_answering")).toBe(0);
    expect(seen.get("tailrace_ready")).toBe(1);
    expect(seen.has("tailrace_engine_timestamp_seconds")).toBe(false);
  });
});

describe("the delay of an event loop", () => {
  test("shows a thread that was held up", async () => {
    const loop = new EventLoopDelay("busy", () => 0, 20);
    loops.push(loop);
    // Held up in each turn, it comes to what is due every 20 ms every 60 ms.
    for (let turn = 0; [...loop.samples()].length === 0 && turn < 100; turn++) {
      for (const end = performance.now() + 60; performance.now() < end;);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const longest = [...loop.samples()].find(([[, stat]]) => stat === "max")?.[1];
    expect(longest).toBeGreaterThan(0.03);
  });
});
