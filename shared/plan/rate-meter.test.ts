import { expect, test } from "vitest";
import { RateMeter } from "./rate-meter.ts";

test("a rate is not known before some seconds have been watched, then that of the last minute", () => {
  const meter = new RateMeter();
  expect(meter.perSecond).toBeNull();
  meter.note(1000, 0);
  meter.note(1400, 4999);
  expect(meter.perSecond).toBeNull();
  meter.note(1500, 5000);
  expect(meter.perSecond).toBe(100);
  for (let second = 6; second <= 120; second++) meter.note(1500, second * 1000);
  expect(meter.perSecond).toBe(0);
});

test("where the clock was set back the measuring begins anew", () => {
  const meter = new RateMeter();
  meter.note(0, 100_000);
  meter.note(10, 110_000);
  meter.note(20, 50_000);
  expect(meter.perSecond).toBeNull();
  meter.note(70, 55_000);
  expect(meter.perSecond).toBe(10);
});
