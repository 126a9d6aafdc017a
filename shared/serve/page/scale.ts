import { UNKNOWN, duration, size } from "../../human.ts";
import { rateText } from "./words.ts";

/** From a value to its height in a chart. */
export interface Scale {
  readonly isLogarithmic: boolean;
  /** At the top. */
  readonly max: number;
  /** 0 at the bottom, 1 at the top. */
  readonly shareOf: (value: number) => number;
  readonly textOf: (value: number) => string;
  /** Values at which lines are drawn, from the top down. */
  readonly ticks: readonly number[];
}

/** Below this, a logarithmic scale of lags is nearly linear: what is within it is well. */
const LOG_FROM_SECONDS = 0.5;
/** One lag so many times another's would press that one flat. */
const LOG_FACTOR = 20;
const LOG_MIN_SECONDS = 10;
const LOG_TICKS_SECONDS = [1, 10, 60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400];
const MINUTE = 60;
const HOUR = 3600;
const NICE_SECONDS = [
  1,
  2,
  5,
  10,
  20,
  30,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  20 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  6 * HOUR,
  12 * HOUR,
  24 * HOUR,
];

/** Of lags in seconds: logarithmic where one would press another flat. */
export function lagScale(peaksSeconds: readonly number[]): Scale {
  const peaks = peaksSeconds.filter((peak) => !Number.isNaN(peak)).toSorted((a, b) => b - a);
  const max = peaks[0] ?? 0;
  const lowest = peaks.at(-1) ?? 0;
  if (peaks.length > 1 && max > LOG_MIN_SECONDS && max > LOG_FACTOR * lowest) {
    const top = LOG_TICKS_SECONDS.find((tick) => tick >= max) ?? max;
    const height = (value: number): number => Math.log1p(value / LOG_FROM_SECONDS);
    return {
      isLogarithmic: true,
      max: top,
      shareOf: (value) => Math.min(1, height(value) / height(top)),
      textOf: lagText,
      ticks: [...LOG_TICKS_SECONDS.filter((tick) => tick <= top), 0].toSorted((a, b) => b - a),
    };
  }
  // Never so fine that the noise of a healthy replica looks like an alarm.
  const atLeast = Math.max(max, 0.1);
  const step =
    atLeast > 2 ? (NICE_SECONDS.find((nice) => nice * 4 >= atLeast) ?? niceStep(atLeast)) : niceStep(atLeast);
  return linear(atLeast, step, lagText);
}

function lagText(seconds: number): string {
  if (Number.isNaN(seconds)) return UNKNOWN;
  return seconds === 0 ? "0" : duration(seconds * 1000);
}

/** Of numbers of things in a second. */
export function rateScale(peakPerSecond: number): Scale {
  const max = Math.max(Number.isNaN(peakPerSecond) ? 0 : peakPerSecond, 4);
  return linear(max, niceStep(max), (value) => (Number.isNaN(value) ? UNKNOWN : rateText(value)));
}

/** Of bytes. */
export function sizeScale(peakBytes: number): Scale {
  const max = Math.max(Number.isNaN(peakBytes) ? 0 : peakBytes, 4096);
  let step = 1024;
  while (step * 4 < max) step *= 2;
  return linear(max, step, (value) => (Number.isNaN(value) ? UNKNOWN : size(value)));
}

function linear(max: number, step: number, textOf: (value: number) => string): Scale {
  const steps = Math.max(1, Math.ceil(max / step - 1e-9));
  const top = steps * step;
  return {
    isLogarithmic: false,
    max: top,
    shareOf: (value) => value / top,
    textOf,
    ticks: Array.from({ length: steps + 1 }, (_, index) => (steps - index) * step),
  };
}

/** 1, 2 or 5 times a power of ten, four of which or fewer make the whole. */
function niceStep(max: number): number {
  const power = 10 ** Math.floor(Math.log10(max / 4));
  return power * ([1, 2, 5, 10].find((factor) => factor * power * 4 >= max - 1e-12) ?? 10);
}
