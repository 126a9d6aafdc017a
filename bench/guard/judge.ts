import { median, percentile } from "../harness/result.ts";

/** The interleaved rounds of one question: in each, the product and its baseline did the same work one right after the other. */
export interface Measured {
  /** Product by baseline, one a round. */
  readonly ratios: readonly number[];
  /** Baseline by baseline, one a round: what the machine alone makes of a ratio that is 1. */
  readonly noise: readonly number[];
}

export interface Judgement {
  readonly ratio: number;
  /** The middle half of the rounds, each side of the median, as a part of it. */
  readonly spreadPart: number;
  /** How far the medians of rounds like these go apart by chance, as a part. */
  readonly noisePart: number;
  /** By how much it is more than recorded, as a part; negative where it is less. */
  readonly grownPart: number;
  /** `unstable`: the machine's noise is too large for the limit to say anything. */
  readonly verdict: "kept" | "worse" | "better" | "unstable";
}

/**
 * @param recorded the ratio that was recorded as the baseline
 * @param limitPart by how much the ratio may grow
 */
export function judge({ ratios, noise }: Measured, recorded: number, limitPart: number): Judgement {
  const ratio = median(ratios);
  const spreadPart = (percentile(ratios, 0.75) - percentile(ratios, 0.25)) / 2 / ratio;
  const noisePart = Math.max(errorOfMedian(noise), errorOfMedian(ratios));
  const grownPart = ratio / recorded - 1;
  const isUnstable = noisePart > limitPart / 2;
  const verdict = isUnstable
    ? "unstable"
    : grownPart > limitPart
      ? "worse"
      : grownPart < -limitPart
        ? "better"
        : "kept";
  return { ratio, spreadPart, noisePart, grownPart, verdict };
}

/**
 * Twice the standard error of a median, as a part of it: 1.253 times that of a mean for values around one hump, with the
 * deviation taken from the middle half, so that a round that the machine spoiled does not count for more than its rank.
 */
function errorOfMedian(values: readonly number[]): number {
  const deviation = (percentile(values, 0.75) - percentile(values, 0.25)) / 1.349;
  return (2 * 1.253 * deviation) / Math.sqrt(values.length) / median(values);
}
