import { monitorEventLoopDelay } from "node:perf_hooks";
import type { MetricSet, Samples } from "./metric-set.ts";

/** A wake-up of the thread for each: four times as often is a third of what an idle node may cost in all. */
const RESOLUTION_MS = 1000;
/** What is reported covers this long, or since the last question. */
const WINDOW_MS = 60_000;
/** Not `quantile`: that label is for summaries alone. */
const STATS = [
  ["p50", 50],
  ["p99", 99],
  ["max", 100],
] as const;

/** How late the event loop of this thread comes to what is due. */
export class EventLoopDelay {
  private readonly thread: string;
  private readonly nowMs: () => number;
  private readonly histogram: ReturnType<typeof monitorEventLoopDelay>;
  private readonly resolutionMs: number;
  private windowStartMs: number;

  /** @param nowMs monotonic */
  constructor(thread: string, nowMs: () => number, resolutionMs: number = RESOLUTION_MS) {
    this.thread = thread;
    this.resolutionMs = resolutionMs;
    this.histogram = monitorEventLoopDelay({ resolution: resolutionMs });
    this.nowMs = nowMs;
    this.windowStartMs = nowMs();
    this.histogram.enable();
  }

  /** Labels: thread, stat. None before the first sample. */
  samples(): Samples {
    const { histogram, thread, resolutionMs } = this;
    if (histogram.count === 0) return [];
    // What is recorded is the time from one wake-up to the next.
    const samples = STATS.map(([stat, percent]) => {
      const lateMs = histogram.percentile(percent) / 1e6 - resolutionMs;
      return [[thread, stat], Math.max(0, lateMs) / 1000] as const;
    });
    if (this.nowMs() - this.windowStartMs >= WINDOW_MS) {
      histogram.reset();
      this.windowStartMs = this.nowMs();
    }
    return samples;
  }

  close(): void {
    this.histogram.disable();
  }
}

/** Both threads of a node have this one, each with its own label. */
export function defineEventLoop<Document>(set: MetricSet<Document>, eventLoop: EventLoopDelay): void {
  set.levels(
    "tailrace_event_loop_delay_seconds",
    "How late the thread comes to what is due, looked at once a second, over about the last minute.",
    ["thread", "stat"],
    () => eventLoop.samples(),
  );
}
