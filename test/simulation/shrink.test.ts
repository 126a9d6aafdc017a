import { expect, test } from "vitest";
import { isSmallerThan } from "./shrink.ts";

function size(decisions: number, steps: number): { decisions: readonly unknown[]; steps: number } {
  return { decisions: Array.from({ length: decisions }), steps };
}

test("a run with fewer decisions is smaller, whatever its steps; with as many, one with fewer steps", () => {
  expect(isSmallerThan(size(3, 900), size(18, 100))).toBe(true);
  expect(isSmallerThan(size(18, 100), size(3, 900))).toBe(false);
  expect(isSmallerThan(size(3, 99), size(3, 100))).toBe(true);
  expect(isSmallerThan(size(3, 100), size(3, 100))).toBe(false);
});
