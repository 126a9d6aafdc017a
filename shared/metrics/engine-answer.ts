import { setTimeout as pause } from "node:timers/promises";
import type { MetricsJson } from "./metric-set.ts";

/** An engine that does not answer in this time is held up: Prometheus itself gives up after ten seconds. */
const ANSWER_MS = 1000;

/** The engine's metrics as of its last answer. */
export interface EngineAnswer {
  readonly metrics: MetricsJson;
  /** Unix ms; null before it ever answered. */
  readonly asOfMs: number | null;
  readonly isAnswering: boolean;
}

/**
 * Asks the engine for its metrics. When it does not answer, its last word stands: counters then stand still, and
 * timestamps grow old, which is what the alerts go by.
 */
export class EngineAnswers {
  private readonly ask: () => Promise<MetricsJson>;
  private readonly nowMs: () => number;
  private readonly answerMs: number;
  private last: Omit<EngineAnswer, "isAnswering"> = { metrics: [], asOfMs: null };
  /** A question under way. There is one at a time: an engine that hangs must not find a heap of them. */
  private asking: Promise<boolean> | undefined;

  /** @param nowMs Unix ms */
  constructor(ask: () => Promise<MetricsJson>, nowMs: () => number, answerMs: number = ANSWER_MS) {
    this.ask = ask;
    this.nowMs = nowMs;
    this.answerMs = answerMs;
  }

  async read(): Promise<EngineAnswer> {
    this.asking ??= this.question().finally(() => (this.asking = undefined));
    const timer = new AbortController();
    const late = pause(this.answerMs, false, { signal: timer.signal }).catch(() => false);
    const isAnswering = await Promise.race([this.asking, late]);
    timer.abort();
    return { ...this.last, isAnswering };
  }

  private async question(): Promise<boolean> {
    try {
      const metrics = await this.ask();
      this.last = { metrics, asOfMs: this.nowMs() };
      return true;
    } catch {
      // It has stopped, or has not started: `tailrace_ready` and /readyz say why.
      return false;
    }
  }
}
