import type { Chance } from "../../harness/seed.ts";

export function pick<T>(chance: Chance, values: readonly T[]): T {
  return values[chance.integer(0, values.length - 1)]!;
}

const NUMBERS = [
  0,
  1,
  2,
  79,
  80,
  4096,
  2 ** 16,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 2,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40,
  8.64e15,
  2 ** 53 - 2,
  2 ** 53 - 1,
];

/** At a border where numbers are known to break, or anywhere; a whole number from 0 to 2^53 - 1. */
export function oddNumber(chance: Chance): number {
  return chance.next() < 0.8
    ? pick(chance, NUMBERS)
    : Math.floor(2 ** (chance.next() * 53)) % Number.MAX_SAFE_INTEGER;
}

const NOT_NUMBERS = ["", "-1", "1e3", "0x10", "1.5", "NaN", "9".repeat(17), "9".repeat(400), "٣", " 1", "1 "];
const TEXTS = [
  "../../../../etc/passwd",
  "..\\..\\x",
  "/dev/zero",
  "%00%2e%2e%2f",
  "a".repeat(3000),
  "\u00FF\u0080\u009B2J",
  "'; DROP TABLE t; --",
  "__proto__",
  '"',
  'W/"x"',
  "*",
  ",,,",
  "identity, gzip",
  "crc32:00000000",
  "0".repeat(16),
  "f".repeat(32),
];

/** What a header can carry, and nobody sends. */
export function oddHeaderValue(chance: Chance): string {
  const kind = chance.next();
  if (kind < 0.4) return String(oddNumber(chance));
  return pick(chance, kind < 0.6 ? NOT_NUMBERS : TEXTS).replace(/[^\t\u0020-\u007E\u0080-\u00FF]/g, "?");
}
