/**
 * How long to pause before another try: exponential growth with full jitter over the upper half, so that replicas that
 * lost one primary together do not come back together.
 */
export const FIRST_PAUSE_MS = 50;
export const MAX_PAUSE_MS = 10_000;

/**
 * @param failures tries that have failed in a row, from 1
 * @param random a number in [0, 1)
 * @param atLeastMs what the peer asked for (`retry-after`)
 */
export function pauseMs(failures: number, random: number, atLeastMs = 0): number {
  // 2^8 × 50 ms is past the maximum; the exponent is bounded so that it cannot overflow.
  const ceilingMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(Math.max(failures, 1) - 1, 16));
  return Math.round(
    Math.min(Math.max(ceilingMs / 2 + (ceilingMs / 2) * random, atLeastMs), 6 * MAX_PAUSE_MS),
  );
}
