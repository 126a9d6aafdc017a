import fc from "fast-check";
import { expect, test } from "vitest";
import { LagClock } from "./lag-clock.ts";

test("the lag counts from the oldest transaction that is missing, and is 0 for who has all", () => {
  const clock = new LagClock();
  expect(clock.lagMs(0, 5000)).toBeNull();
  clock.note(10, 1000);
  clock.note(11, 2000);
  clock.note(12, 4000);
  expect(clock.lagMs(12, 9000)).toBe(0);
  expect(clock.lagMs(13, 9000)).toBe(0);
  expect(clock.lagMs(11, 9000)).toBe(5000);
  expect(clock.lagMs(10, 9000)).toBe(7000);
  // Transaction 10 is the first whose time is known.
  expect(clock.lagMs(9, 9000)).toBe(8000);
  expect(clock.lagMs(8, 9000)).toBeNull();
});

test("a head that is not newer says nothing, and one without a time leaves what is before it uncovered", () => {
  const clock = new LagClock();
  clock.note(5, 1000);
  clock.note(5, 3000);
  clock.note(4, 3000);
  expect(clock.lagMs(4, 4000)).toBe(3000);
  clock.note(6, null);
  expect(clock.lagMs(4, 4000)).toBeNull();
  expect(clock.lagMs(5, 4000)).toBeNull();
  expect(clock.lagMs(6, 4000)).toBe(0);
  clock.note(7, 4000);
  expect(clock.lagMs(6, 4500)).toBe(500);
});

test("before the first transaction there is nothing to be behind with; from it on there is", () => {
  const clock = new LagClock();
  clock.note(0, null);
  expect(clock.lagMs(0, 1000)).toBe(0);
  clock.note(3, 2000);
  expect(clock.lagMs(0, 2500)).toBe(500);
});

test("a clock that was set back makes no lag negative, and none forgotten", () => {
  const clock = new LagClock();
  for (let txid = 1; txid <= 10_000; txid++)
    clock.note(txid, txid < 5000 ? 1_000_000 + txid : 500_000 + txid);
  expect(clock.lagMs(4998, 510_001)).toBe(0);
  expect(clock.lagMs(9998, 510_001)).toBeGreaterThanOrEqual(2);
  expect(clock.lagMs(100, 2_000_000)).toBeGreaterThanOrEqual(2_000_000 - 1_000_101);
});

test("thinning never makes a lag smaller, and larger by at most 10 ms or a thirty-second part; memory stays bounded", () => {
  fc.assert(
    fc.property(
      // Paces from a transaction a millisecond to one in some hours; several transactions under one head.
      fc.array(
        fc.record({
          heads: fc.integer({ min: 1, max: 1500 }),
          everyMs: fc.oneof(fc.nat(3), fc.nat(10_000_000)),
          transactions: fc.integer({ min: 1, max: 5 }),
        }),
        { minLength: 1, maxLength: 8 },
      ),
      fc.nat(100_000),
      fc.infiniteStream(fc.nat()),
      (paces, sinceNewestMs, picks) => {
        const clock = new LagClock();
        const times: number[] = [];
        let nowMs = 1_700_000_000_000;
        for (const { heads, everyMs, transactions } of paces) {
          for (let head = 0; head < heads; head++) {
            nowMs += everyMs;
            for (let count = 0; count < transactions; count++) times.push(nowMs);
            clock.note(times.length, nowMs);
          }
        }
        nowMs += sinceNewestMs;
        const first = paces[0]!.transactions - 1;
        const sample = [first, times.length - 1];
        for (const pick of picks) {
          sample.push(first + (pick % (times.length - first)));
          if (sample.length === 50) break;
        }
        for (const applied of sample) {
          const trueMs = nowMs - times[applied]!;
          const lagMs = clock.lagMs(applied, nowMs);
          expect(lagMs).not.toBeNull();
          expect(lagMs!).toBeGreaterThanOrEqual(trueMs);
          expect(lagMs!).toBeLessThanOrEqual(trueMs + Math.max(10, trueMs / 32));
        }
        expect(clock.lagMs(first - 1, nowMs)).toBeNull();
        expect((clock as unknown as { spans: unknown[] }).spans.length).toBeLessThanOrEqual(2048);
      },
    ),
    { numRuns: 40 },
  );
});
