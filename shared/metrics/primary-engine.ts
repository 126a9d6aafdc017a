import type { Counter, Histogram } from "prom-client";
import type { PrimaryEngineStatus } from "../status.ts";
import { LATENCY_SECONDS } from "./buckets.ts";
import { EngineMetrics } from "./engine-common.ts";
import type { EventLoopDelay } from "./event-loop.ts";
import { secondsOf } from "./metric-set.ts";

/** The metrics of a primary's engine. They outlive the file: when another one takes its place, they count on. */
export class PrimaryEngineMetrics extends EngineMetrics<PrimaryEngineStatus> {
  readonly commits: Counter;
  readonly commitBytes: Counter;
  readonly captureDelaySeconds: Histogram;
  /** Unix ms of the last time that nothing was left to capture; null before the first. */
  caughtUpMs: number | null = null;

  constructor(eventLoop: EventLoopDelay) {
    super(eventLoop);
    const { set } = this;
    this.commits = set.counter("tailrace_commits_total", "Transactions captured since the start.");
    this.commitBytes = set.counter("tailrace_commit_bytes_total", "Log bytes of the transactions captured.");
    this.captureDelaySeconds = set.histogram(
      "tailrace_capture_delay_seconds",
      "From the moment that commits were noticed in the SQLite WAL until they were durable in the log; one sample for all that were noticed at once.",
      LATENCY_SECONDS,
    );
    set.gauge(
      "tailrace_capture_pending_frames",
      "Frames of the SQLite WAL that are committed and not captured.",
      ({ wal }) => Math.max(0, wal.publishedFrames - wal.capturedFrames),
    );
    set.level(
      "tailrace_capture_timestamp_seconds",
      "When nothing was left to capture last: within a second of now while capture is well, idle or not.",
      () => secondsOf(this.caughtUpMs),
    );
    set.gauge("tailrace_capture_trouble", "1 while capture fails and is being retried.", ({ lastError }) =>
      lastError === null ? 0 : 1,
    );
    set.tally(
      "tailrace_differences_total",
      "Comparisons of all pages because commits may have been missed.",
      ({ differences }) => differences,
    );
  }
}
