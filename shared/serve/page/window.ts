import type { HistoryView } from "../history.ts";
import { SAMPLE_MS } from "../history.ts";

/** So much is shown: the shortest that holds all there is. */
const SPANS_MS = [2, 5, 15, 60].map((minutes) => minutes * 60_000);
const MAX_POINTS = 240;

/**
 * The part of the history that charts show, as points evenly apart. They stand at whole multiples of their distance, so
 * that a chart that is drawn again a moment later has moved, and has not changed its shape.
 */
export class Window {
  /** Unix ms, ascending; the last one is of now. */
  readonly timesMs: readonly number[];
  readonly spanMs: number;
  /** The point to which each sample belongs; outside of them: before what is shown. */
  private readonly places: Int32Array;

  constructor({ timesMs }: Pick<HistoryView, "timesMs">, nowMs: number) {
    const ageMs = nowMs - (timesMs[0] ?? nowMs);
    const spanMs = SPANS_MS.find((span) => span >= ageMs) ?? SPANS_MS.at(-1)!;
    const stepMs = Math.max(SAMPLE_MS, spanMs / MAX_POINTS);
    const firstMs = Math.ceil(nowMs / stepMs) * stepMs - spanMs;
    this.spanMs = spanMs;
    this.timesMs = Array.from({ length: spanMs / stepMs + 1 }, (_, index) =>
      Math.min(nowMs, firstMs + index * stepMs),
    );
    this.places = Int32Array.from(timesMs, (timeMs) => Math.ceil((timeMs - firstMs) / stepMs));
  }

  /** The highest value up to each point since the one before; NaN where there is none. The last is the one given. */
  highest(values: Float64Array | undefined, now: number | null | undefined): Float64Array {
    const { places } = this;
    const last = this.timesMs.length - 1;
    const points = new Float64Array(last + 1).fill(Number.NaN);
    // For hundreds of replicas this is most of the work of drawing the page: plain loops.
    for (let index = 0; index < (values?.length ?? 0); index++) {
      const place = places[index]!;
      const value = values![index]!;
      if (place >= 0 && place <= last && !(value <= points[place]!) && !Number.isNaN(value))
        points[place] = value;
    }
    points[last] = now ?? Number.NaN;
    // A sample may be a moment away from its place: a hole of one point between two is none.
    for (let index = 1; index < last; index++) {
      if (Number.isNaN(points[index]!) && !Number.isNaN(points[index + 1]!))
        points[index] = points[index - 1]!;
    }
    return points;
  }
}

/** NaN when nothing is known. */
export function peakOf(values: Iterable<number>): number {
  let peak = Number.NaN;
  for (const value of values) if (!(value <= peak) && !Number.isNaN(value)) peak = value;
  return peak;
}
