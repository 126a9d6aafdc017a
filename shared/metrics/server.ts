import type { Counter, Histogram } from "prom-client";
import { CHUNK_BYTES } from "./buckets.ts";
import { defineEventLoop } from "./event-loop.ts";
import type { EventLoopDelay } from "./event-loop.ts";
import { MetricSet, secondsOf } from "./metric-set.ts";
import type { MetricDefinition, MetricsJson } from "./metric-set.ts";
import type { ProcessUsage } from "./process-usage.ts";

/** What is in use of something, and how much there may be. */
interface Bounded {
  readonly now: number;
  readonly max: number;
}

/** The serving thread at one moment. */
export interface ServerView {
  readonly version: string;
  readonly role: string;
  readonly startedMs: number;
  readonly isReady: boolean;
  readonly isEngineAnswering: boolean;
  /** When the engine answered last; null before it ever did. */
  readonly engineAsOfMs: number | null;
  readonly waitingRequests: Bounded;
  readonly downloads: Bounded;
  readonly connections: Bounded;
  readonly cacheBytes: Bounded;
  readonly inFlightBytes: Bounded;
  /** Of the cache, since the start. */
  readonly chunks: { readonly hits: number; readonly misses: number };
  readonly usage: ProcessUsage;
}

/** The metrics of the serving thread. */
export class ServerMetrics {
  private readonly set = new MetricSet<ServerView>();
  readonly requests: Counter<"route" | "status">;
  /** Of each answer with log bytes, before compression. */
  readonly chunkBytes: Histogram;
  readonly sentBytes: Counter<"kind">;

  constructor(eventLoop: EventLoopDelay) {
    const { set } = this;
    defineNode(set);
    this.requests = set.counter(
      "tailrace_http_requests_total",
      "Requests answered, by route and status; 499 where the asker had gone before.",
      ["route", "status"],
    );
    this.chunkBytes = set.histogram(
      "tailrace_wal_chunk_bytes",
      "Log bytes in an answer of /wal, before compression, each time that there were any.",
      CHUNK_BYTES,
    );
    this.sentBytes = set.counter(
      "tailrace_sent_bytes_total",
      "Bytes of log and of snapshots given to the network, compressed where they are.",
      ["kind"],
    );
    for (const kind of ["wal", "snapshot"]) this.sentBytes.inc({ kind }, 0);
    set.tally(
      "tailrace_chunk_cache_hits_total",
      "Log chunks that were in memory.",
      ({ chunks }) => chunks.hits,
    );
    set.tally(
      "tailrace_chunk_cache_misses_total",
      "Log chunks that had to be read or compressed.",
      ({ chunks }) => chunks.misses,
    );
    defineBounds(set);
    defineProcess(set);
    defineEventLoop(set, eventLoop);
  }

  get definitions(): readonly MetricDefinition[] {
    return this.set.definitions;
  }

  json(view: ServerView): Promise<MetricsJson> {
    return this.set.json(view);
  }
}

function defineNode(set: MetricSet<ServerView>): void {
  set.gauges("tailrace_build_info", "1, with what runs.", ["version", "role"], ({ version, role }) => [
    [[version, role], 1],
  ]);
  set.gauge("tailrace_start_timestamp_seconds", "When the server was started.", ({ startedMs }) =>
    secondsOf(startedMs),
  );
  set.gauge("tailrace_ready", "1 while the node serves.", ({ isReady }) => (isReady ? 1 : 0));
  set.gauge(
    "tailrace_engine_answering",
    "1 while the engine answers within a second. Else its metrics are those of its last answer.",
    ({ isEngineAnswering }) => (isEngineAnswering ? 1 : 0),
  );
  set.gauge("tailrace_engine_timestamp_seconds", "When the engine answered last.", ({ engineAsOfMs }) =>
    secondsOf(engineAsOfMs),
  );
}

function defineBounds(set: MetricSet<ServerView>): void {
  const bounded = (
    name: string,
    unit: string,
    help: string,
    limit: string,
    read: (view: ServerView) => Bounded,
  ): void => {
    set.gauge(`${name}${unit}`, help, (view) => read(view).now);
    set.gauge(`${name}_max${unit}`, limit, (view) => read(view).max);
  };
  bounded(
    "tailrace_waiting_requests",
    "",
    "Requests held until there is something new.",
    "Waiting requests past which one more is answered 503.",
    ({ waitingRequests }) => waitingRequests,
  );
  bounded(
    "tailrace_downloads",
    "",
    "Snapshots being downloaded.",
    "Downloads past which one more is answered 503.",
    ({ downloads }) => downloads,
  );
  bounded(
    "tailrace_connections",
    "",
    "Open connections.",
    "Connections past which one more is closed at once.",
    ({ connections }) => connections,
  );
  bounded(
    "tailrace_chunk_cache",
    "_bytes",
    "Log chunks in memory for the next asker.",
    "The most that is kept of them.",
    ({ cacheBytes }) => cacheBytes,
  );
  bounded(
    "tailrace_in_flight",
    "_bytes",
    "Log chunks that are being sent, each counted once.",
    "The same past which a request for log is answered 503.",
    ({ inFlightBytes }) => inFlightBytes,
  );
}

function defineProcess(set: MetricSet<ServerView>): void {
  set.gauge("tailrace_resident_memory_bytes", "Memory of the process.", ({ usage }) => usage.residentBytes);
  set.tally("tailrace_cpu_seconds_total", "Processor time of the process.", ({ usage }) => usage.cpuSeconds);
  set.gauge(
    "tailrace_open_descriptors",
    "File descriptors that the process has open.",
    ({ usage }) => usage.openDescriptors,
  );
  set.gauge("tailrace_open_descriptors_max", "The most that it may.", ({ usage }) => usage.maxDescriptors);
}
