import { describe, expect, test } from "vitest";
import { Chance } from "../harness/seed.ts";
import { judge } from "./verdict.ts";
import type { Limits, Verdict } from "./verdict.ts";

const MIB = 2 ** 20;
const LIMITS: Limits = { perHour: 8 * MIB, atLeast: 4 * MIB, level: 400 * MIB };
const WARM_UP_SECONDS = 60;
const SEEDS = 60;

/** A series of one sample a second, and what is found of it with each of many seeds. */
function verdicts(
  minutes: number,
  valueAt: (second: number, noise: () => number) => number,
): Record<Verdict, number> {
  const found = { flat: 0, grows: 0, unclear: 0, "too high": 0, "not measured": 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const chance = new Chance(seed);
    const normal = (): number =>
      Math.sqrt(-2 * Math.log(1 - chance.next())) * Math.cos(2 * Math.PI * chance.next());
    const seconds = Array.from({ length: minutes * 60 }, (_, second) => second);
    const values = seconds.map((second) => valueAt(second, normal));
    found[judge({ seconds, values }, LIMITS, WARM_UP_SECONDS).verdict] += 1;
  }
  return found;
}

describe("what does not grow is never said to", () => {
  test("flat and noisy", () => {
    const found = verdicts(10, (_, noise) => (200 + 3 * noise()) * MIB);
    expect(found.grows).toBe(0);
    expect(found.flat).toBeGreaterThan(SEEDS * 0.9);
  });

  test("noise in which neighbours are alike", () => {
    let now = 0;
    const found = verdicts(20, (second, noise) => {
      now = second === 0 ? 0 : 0.95 * now + noise();
      return (200 + now) * MIB;
    });
    expect(found.grows).toBe(0);
  });

  test.each([7, 33, 90, 200])("a sawtooth of %i s", (periodSeconds) => {
    const found = verdicts(10, (second, noise) => {
      return (150 + (80 * (second % periodSeconds)) / periodSeconds + noise()) * MIB;
    });
    expect(found.grows).toBe(0);
  });

  test.each([0.3, 0.5, 0.75, 0.9])("a step after %d of the run, that stays below the level", (part) => {
    const found = verdicts(10, (second, noise) => (second < part * 600 ? 200 : 260) * MIB + noise() * MIB);
    expect(found.grows).toBe(0);
  });

  test("what fills up and levels off", () => {
    const found = verdicts(20, (second, noise) => (260 - 60 * Math.exp(-second / 150) + noise()) * MIB);
    expect(found.grows).toBe(0);
    expect(found.flat).toBeGreaterThan(SEEDS * 0.9);
  });

  test("the warm-up alone", () => {
    const found = verdicts(10, (second, noise) => (100 + Math.min(second, WARM_UP_SECONDS) + noise()) * MIB);
    expect(found).toMatchObject({ grows: 0, flat: SEEDS });
  });

  test("growth within the limit", () => {
    const found = verdicts(60, (second, noise) => (200 + (4 * second) / 3600 + noise()) * MIB);
    expect(found).toMatchObject({ grows: 0, flat: SEEDS });
  });
});

describe("what grows is found", () => {
  test("a slow leak in noise that is larger than what leaks in a minute", () => {
    const found = verdicts(20, (second, noise) => (200 + second / 60 + 3 * noise()) * MIB);
    expect(found.grows).toBe(SEEDS);
  });

  test("a leak below a sawtooth", () => {
    const found = verdicts(
      20,
      (second, noise) => (150 + (50 * (second % 23)) / 23 + (2 * second) / 60 + noise()) * MIB,
    );
    expect(found.grows).toBeGreaterThan(SEEDS * 0.95);
  });

  test("a leak of one step a minute", () => {
    const found = verdicts(20, (second, noise) => (200 + 2 * Math.floor(second / 60) + noise()) * MIB);
    expect(found.grows).toBe(SEEDS);
  });

  test("what is written in bursts and never goes", () => {
    const found = verdicts(4, (second) => (50 + second / 2 + 8 * Math.floor(second / 9)) * MIB);
    expect(found.grows).toBe(SEEDS);
  });

  test("a step past the level", () => {
    const found = verdicts(10, (second, noise) => (second < 200 ? 200 : 450 + noise()) * MIB);
    expect(found["too high"]).toBe(SEEDS);
  });
});

test("a short and noisy run proves neither", () => {
  const found = verdicts(3, (_, noise) => (200 + 60 * noise()) * MIB);
  expect(found.unclear).toBeGreaterThan(SEEDS / 2);
});

test("gaps are left out, and what was hardly measured is not judged", () => {
  const seconds = Array.from({ length: 600 }, (_, second) => second);
  const gappy = seconds.map((second) => (second % 3 === 0 ? Number.NaN : 200 * MIB));
  expect(judge({ seconds, values: gappy }, LIMITS, WARM_UP_SECONDS).verdict).toBe("flat");
  const rare = seconds.map((second) => (second % 100 === 0 ? 200 * MIB : Number.NaN));
  expect(judge({ seconds, values: rare }, LIMITS, WARM_UP_SECONDS).verdict).toBe("not measured");
});
