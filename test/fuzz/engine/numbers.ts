import type { Chance } from "../../harness/seed.ts";

/** Numbers at which something ends: of a byte, of 16, 32, 53 and 64 bits, of a page size, of a date. */
const EDGES: readonly bigint[] = [
  0n,
  1n,
  2n,
  127n,
  255n,
  256n,
  511n,
  512n,
  513n,
  4096n,
  65_535n,
  65_536n,
  65_537n,
  (1n << 20n) - 1n,
  1n << 20n,
  (1n << 31n) - 1n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 32n,
  (1n << 40n) + 1n,
  8_640_000_000_000_000n,
  8_640_000_000_000_001n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 53n) + 1n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

/** A number of so many bytes: one of the edges, one near what is there, or any. */
export function oddNumber(chance: Chance, bytes: number, present: bigint): bigint {
  const kind = chance.next();
  const made =
    kind < 0.6
      ? oneOf(chance, EDGES)
      : kind < 0.85
        ? present + BigInt(chance.integer(-3, 3))
        : (BigInt(chance.integer(0, 0xffffffff)) << 32n) | BigInt(chance.integer(0, 0xffffffff));
  return BigInt.asUintN(bytes * 8, made);
}

export function oneOf<T>(chance: Chance, values: readonly T[]): T {
  return values[chance.integer(0, values.length - 1)]!;
}

/** Up to so many random bytes. */
export function randomBytes(chance: Chance, maxLength: number): Buffer {
  return Buffer.from(Array.from({ length: chance.integer(1, maxLength) }, () => chance.integer(0, 255)));
}
