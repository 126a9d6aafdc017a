import { expect, test } from "vitest";
import { RecentEnds } from "./recent-ends.ts";

const at = (offset: number): { segment: number; offset: number } => ({ segment: 1, offset });

test("under load, who stands where the end was a moment ago is at the end", () => {
  const ends = new RecentEnds();
  expect(ends.isAtEnd(at(0), 0)).toBe(false);
  for (let ms = 0; ms <= 10_000; ms += 1) ends.note(at(ms), ms);
  expect(ends.isAtEnd(at(10_000), 10_000)).toBe(true);
  expect(ends.isAtEnd(at(8000), 10_000)).toBe(true);
  expect(ends.isAtEnd(at(7000), 10_000)).toBe(false);
});

test("when nothing more is written, only the very end is the end, after a moment", () => {
  const ends = new RecentEnds();
  ends.note(at(100), 0);
  ends.note(at(200), 100);
  expect(ends.isAtEnd(at(100), 1999)).toBe(true);
  expect(ends.isAtEnd(at(100), 2100)).toBe(false);
  expect(ends.isAtEnd(at(200), 60_000)).toBe(true);
  // The next end was preceded by 200, not by 100.
  ends.note(at(300), 60_000);
  expect(ends.isAtEnd(at(100), 60_500)).toBe(false);
  expect(ends.isAtEnd(at(200), 60_500)).toBe(true);
  expect(ends.isAtEnd(at(200), 62_000)).toBe(false);
});

test("a clock that was set back does not make an old end the end for ever", () => {
  const ends = new RecentEnds();
  ends.note(at(100), 1_000_000);
  ends.note(at(200), 10);
  ends.note(at(300), 3000);
  expect(ends.isAtEnd(at(200), 3000)).toBe(true);
  expect(ends.isAtEnd(at(100), 3000)).toBe(false);
  expect(ends.isAtEnd(at(200), 5000)).toBe(false);
});
