import fc from "fast-check";
import { expect, test } from "vitest";
import { formatAmount, parseAmount } from "./amount.ts";

test.each([
  ["10GiB", 10 * 2 ** 30],
  ["512 mib", 512 * 2 ** 20],
  ["1.5GB", 1_500_000_000],
  ["64kB", 64_000],
  ["4096", 4096],
  ["0.3KiB", 307],
  ["1e6", 1_000_000],
])("%s is %i bytes", (text, bytes) => {
  expect(parseAmount(text, "bytes")).toBe(bytes);
});

test.each([
  ["24h", 86_400_000],
  ["10min", 600_000],
  ["1.5 s", 1_500],
  ["500ms", 500],
  ["7d", 604_800_000],
  ["250", 250],
])("%s is %i ms", (text, ms) => {
  expect(parseAmount(text, "ms")).toBe(ms);
});

test.each(["", "GiB", "10 apples", "10m", "10 G", "1,5GB", "-5MiB", "ten", "10GiBs", "0x10", "1__proto__"])(
  "%j is neither a size nor a time",
  (text) => {
    expect(parseAmount(text, "bytes")).toBeUndefined();
    expect(parseAmount(text, "ms")).toBeUndefined();
  },
);

test("what is written is read back as the same number", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 43 }),
      fc.constantFrom("bytes" as const, "ms" as const),
      (value, unit) => parseAmount(formatAmount(value, unit), unit) === value,
    ),
  );
  expect(formatAmount(2 ** 30, "bytes")).toBe("1GiB");
  expect(formatAmount(1_500_000_001, "bytes")).toBe("1500000001B");
  expect(formatAmount(8_000_000_000, "bytes")).toBe("8GB");
  expect(formatAmount(60_000, "ms")).toBe("1min");
  expect(formatAmount(86_400_000, "ms")).toBe("24h");
  expect(formatAmount(604_800_000, "ms")).toBe("7d");
  expect(formatAmount(90_000, "ms")).toBe("90s");
});
