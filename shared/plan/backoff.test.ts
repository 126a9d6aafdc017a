import fc from "fast-check";
import { expect, test } from "vitest";
import { FIRST_PAUSE_MS, MAX_PAUSE_MS, pauseMs } from "./backoff.ts";

test("pauses double from 50 ms up to 10 s and stay there", () => {
  const ceilings = [1, 2, 3, 8, 9, 100, 1e9].map((failures) => pauseMs(failures, 1));
  expect(ceilings).toEqual([50, 100, 200, 6400, 10_000, 10_000, 10_000]);
});

test("jitter takes away at most half, and never everything", () => {
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, random) => {
        const pause = pauseMs(failures, random);
        expect(pause).toBeGreaterThanOrEqual(FIRST_PAUSE_MS / 2);
        expect(pause).toBeLessThanOrEqual(MAX_PAUSE_MS);
        expect(pause).toBeGreaterThanOrEqual(pauseMs(failures, 1) / 2 - 1);
      },
    ),
  );
});

test("a peer that names a pause gets it, up to a minute", () => {
  expect(pauseMs(1, 0, 3000)).toBe(3000);
  expect(pauseMs(1, 0, 3_600_000)).toBe(60_000);
});
