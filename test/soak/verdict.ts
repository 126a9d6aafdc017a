import { quantile, trendOf } from "./trend.ts";

/** What a measure may do while a soak goes on. */
export interface Limits {
  /** It may grow by so much in an hour. */
  readonly perHour: number;
  /** Growth that comes to less than this over the whole run is none. */
  readonly atLeast: number;
  /** And it may never be more than this for long: 95 % of the samples are below. */
  readonly level: number;
}

/** One measure of one process: `values[i]` at `seconds[i]`. */
export interface Series {
  readonly seconds: readonly number[];
  readonly values: readonly number[];
}

/**
 * `flat`: it is certain that it does not grow past its limit. `grows`: that it does. `unclear`: the run was too short for
 * either. `too high`: its level is past the limit. `not measured`: there is too little of it.
 */
export type Verdict = "flat" | "grows" | "unclear" | "too high" | "not measured";

export interface Judgement {
  readonly verdict: Verdict;
  readonly perHour: number;
  /** Between these it certainly grows. */
  readonly lowPerHour: number;
  readonly highPerHour: number;
  /** Of the later half of the run alone. */
  readonly laterPerHour: number;
  /** Of 95 % of the samples. */
  readonly level: number;
}

/** Samples are put together to so many blocks, so that what comes and goes within one counts for nothing. */
const BLOCKS = 20;
export const MIN_SAMPLES: number = 2 * BLOCKS;
const SECONDS_PER_HOUR = 3_600;
/** Of the whole run, 99 % certain on each side. */
const Z_WHOLE = 2.33;
/** Of its later half, 90 %: it only has to agree. */
const Z_LATER = 1.28;

/**
 * Whether a series grows. What counts is its floor, the lowest tenth of each block: garbage, caches and logs that fill up and
 * are emptied rise above it; a leak lifts it. It has to rise over the whole run and over its later half, so that
 * neither a step nor what levels off is taken for a leak: the bound of the level is for those.
 */
export function judge(series: Series, limits: Limits, warmUpSeconds: number): Judgement {
  const { seconds, values } = known(series, warmUpSeconds);
  const level = quantile(values.toSorted(ascending), 0.95);
  if (values.length < MIN_SAMPLES) {
    const unknown = { perHour: NaN, lowPerHour: NaN, highPerHour: NaN, laterPerHour: NaN };
    return { verdict: "not measured", ...unknown, level };
  }
  const hours = (seconds.at(-1)! - seconds[0]!) / SECONDS_PER_HOUR;
  const { times, floors } = floorsOf(seconds, values);
  const whole = trendOf(times, floors, Z_WHOLE);
  const later = trendOf(times.slice(BLOCKS / 2), floors.slice(BLOCKS / 2), Z_LATER);
  const matters = Math.max(limits.perHour, limits.atLeast / hours);
  const verdict = ((): Verdict => {
    if (whole.low > 0 && later.low > 0 && whole.slope > matters && later.slope > matters) return "grows";
    if (level > limits.level) return "too high";
    return whole.high <= matters || later.high <= matters ? "flat" : "unclear";
  })();
  const { slope: perHour, low: lowPerHour, high: highPerHour } = whole;
  return { verdict, perHour, lowPerHour, highPerHour, laterPerHour: later.slope, level };
}

function known({ seconds, values }: Series, warmUpSeconds: number): Series {
  const indexes = [...seconds.keys()].filter(
    (index) => seconds[index]! >= warmUpSeconds && !Number.isNaN(values[index]!),
  );
  return {
    seconds: indexes.map((index) => seconds[index]!),
    values: indexes.map((index) => values[index]!),
  };
}

/** Times in hours. */
function floorsOf(
  seconds: readonly number[],
  values: readonly number[],
): { readonly times: readonly number[]; readonly floors: readonly number[] } {
  const times: number[] = [];
  const floors: number[] = [];
  for (let block = 0; block < BLOCKS; block++) {
    const from = Math.floor((block * values.length) / BLOCKS);
    const to = Math.floor(((block + 1) * values.length) / BLOCKS);
    times.push((seconds[from]! + seconds[to - 1]!) / 2 / SECONDS_PER_HOUR);
    floors.push(quantile(values.slice(from, to).toSorted(ascending), 0.1));
  }
  return { times, floors };
}

function ascending(a: number, b: number): number {
  return a - b;
}
