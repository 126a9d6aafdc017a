import type { HistoryView } from "../history.ts";
import { SAMPLE_MS } from "../history.ts";

/** So much is shown: the shortest that holds all there is. */
const SPANS_MS = [5, 15, 60].map((minutes) => minutes * 60_000);
const MAX_POINTS = 240;

/**
 * The part of the history that charts show, as points evenly apart. They stand at whole multiples of their distance, so
 * that a chart that is drawn again a moment later has moved, and has not changed its shape.
 */
export class Window {
  /** Unix ms, ascending; the last one is of now. */
  readonly timesMs: readonly number[];
  private readonly stepMs: number;
  private readonly firstMs: number;
  private readonly samplesMs: Float64Array;

  constructor({ timesMs }: Pick<HistoryView, "timesMs">, nowMs: number) {
    const ageMs = nowMs - (timesMs[0] ?? nowMs);
    const spanMs = SPANS_MS.find((span) => span >= ageMs) ?? SPANS_MS.at(-1)!;
    this.stepMs = Math.max(SAMPLE_MS, spanMs / MAX_POINTS);
    const lastMs = Math.ceil(nowMs / this.stepMs) * this.stepMs;
    this.firstMs = lastMs - spanMs;
    const count = spanMs / this.stepMs + 1;
    this.timesMs = Array.from({ length: count }, (_, index) =>
      Math.min(nowMs, this.firstMs + index * this.stepMs),
    );
    this.samplesMs = timesMs;
  }

  /** The highest value up to each point since the one before; NaN where there is none. The last is the one given. */
  highest(values: Float64Array | undefined, now: number | null | undefined): number[] {
    const points = this.timesMs.map(() => Number.NaN);
    values?.forEach((value, index) => {
      const place = Math.ceil((this.samplesMs[index]! - this.firstMs) / this.stepMs);
      if (place < 0 || place >= points.length || Number.isNaN(value)) return;
      const before = points[place]!;
      points[place] = Number.isNaN(before) ? value : Math.max(before, value);
    });
    const last = points.length - 1;
    // A sample may be a moment away from its place: a hole of one point between two is none.
    for (let index = 1; index < last; index++) {
      const [before, here, after] = points.slice(index - 1, index + 2) as [number, number, number];
      if (Number.isNaN(here) && !Number.isNaN(before) && !Number.isNaN(after)) points[index] = before;
    }
    points[last] = now ?? Number.NaN;
    if (Number.isNaN(points[last - 1]!) && now !== null && now !== undefined)
      points[last - 1] = points[last - 2]!;
    return points;
  }
}

/** NaN when nothing is known. */
export function peakOf(values: Iterable<number>): number {
  let peak = Number.NaN;
  for (const value of values) if (!(value <= peak) && !Number.isNaN(value)) peak = value;
  return peak;
}
