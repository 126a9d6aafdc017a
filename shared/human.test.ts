import { describe, expect, test } from "vitest";
import { ago, count, counted, cursor, duration, printable, size, time } from "./human.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe("numbers as people read them", () => {
  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [115_072, "112.4 KiB"],
    [1024 ** 2 - 1, "1 MiB"],
    [64 * 1024 ** 2, "64 MiB"],
    [5.5 * 1024 ** 4, "5.5 TiB"],
  ])("%d bytes are %s", (bytes, text) => expect(size(bytes)).toBe(text));

  test.each([
    [0, "0 ms"],
    [0.25, "0.3 ms"],
    [12.4, "12 ms"],
    [999.9, "1 s"],
    [4_120, "4.1 s"],
    [59_990, "1 min"],
    [125_000, "2 min 5 s"],
    [HOUR_MS - 1, "1 h"],
    [3 * HOUR_MS + 12 * MINUTE_MS, "3 h 12 min"],
    [52 * HOUR_MS, "2 d 4 h"],
    [-4_120, "-4.1 s"],
  ])("%d ms are %s", (ms, text) => expect(duration(ms)).toBe(text));

  test("a moment is told from another", () => {
    expect(ago(1_000, 5_100)).toBe("4.1 s ago");
    expect(ago(5_100, 1_000)).toBe("in 4.1 s");
    expect(time(1_795_226_911_333)).toBe("2026-11-21 02:08:31 UTC");
    expect(time(1e300)).toBe("1e+300");
  });

  test("counts have separators, cursors a colon", () => {
    expect(count(1_234_567)).toBe("1,234,567");
    expect(count(1e300)).toBe("1e+300");
    expect([0, 1, 1_204].map((value) => counted(value, "page"))).toEqual([
      "0 pages",
      "1 page",
      "1,204 pages",
    ]);
    expect(cursor({ segment: 3, offset: 115_072 })).toBe("3:115072");
  });
});

test("somebody else's text cannot move the cursor of a terminal", () => {
  expect(printable("a\u001B[2Jb\nc\u0085é")).toBe("a\\x1b[2Jb\\x0ac\\x85é");
  expect(printable("a\u202Eb\u200Bc\u2028d\uD800e")).toBe("a\\u{202e}b\\u{200b}c\\u{2028}d\\u{d800}e");
});
