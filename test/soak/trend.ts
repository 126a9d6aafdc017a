/** How fast something grows, and between what bounds that is certain. In units of `values` a unit of `times`. */
export interface Trend {
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Theil and Sen's slope, the median of those between all pairs, with Sen's confidence interval: no outlier moves it, and
 * nothing has to be normally distributed. What follows one another is alike in most series, which makes chance look like
 * a trend: so the interval is widened by what neighbours have in common beside the trend.
 *
 * @param z how certain: 1.28 for 90 % on each side, 2.33 for 99 %
 */
export function trendOf(times: readonly number[], values: readonly number[], z: number): Trend {
  const slopes: number[] = [];
  for (let later = 1; later < times.length; later++)
    for (let earlier = 0; earlier < later; earlier++)
      slopes.push((values[later]! - values[earlier]!) / (times[later]! - times[earlier]!));
  slopes.sort((a, b) => a - b);
  const count = times.length;
  const slope = quantile(slopes, 0.5);
  const inCommon = correlationOfNeighbours(values.map((value, index) => value - slope * times[index]!));
  const variance = (count * (count - 1) * (2 * count + 5)) / 18;
  const width = z * Math.sqrt((variance * (1 + inCommon)) / (1 - inCommon));
  const rank = (slopes.length - width) / 2;
  return {
    slope,
    low: slopes[Math.floor(rank)] ?? Number.NEGATIVE_INFINITY,
    high: slopes[Math.ceil(slopes.length - 1 - rank)] ?? Number.POSITIVE_INFINITY,
  };
}

/** A value of a sorted list: 0.5 is the median. */
export function quantile(sorted: readonly number[], fraction: number): number {
  const at = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** With more, a score of values would prove nothing at all, not even growth in every one of them. */
const MOST_IN_COMMON = 0.7;

function correlationOfNeighbours(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let all = 0;
  let together = 0;
  for (const [index, value] of values.entries()) {
    all += (value - mean) ** 2;
    if (index > 0) together += (value - mean) * (values[index - 1]! - mean);
  }
  return all === 0 ? 0 : Math.min(MOST_IN_COMMON, Math.max(0, together / all));
}
