import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { POSITION_SLOT_BYTES, decodePosition, decodePositionSlot, encodePosition } from "./position.ts";
import type { Position } from "./position.ts";

const hex = (digits: number) =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef".split("")), { minLength: digits, maxLength: digits })
    .map((d) => d.join(""));
const u32 = fc.nat(0xffffffff);
const u64 = fc.bigInt(0n, (1n << 64n) - 1n);
const point = fc.record({
  txid: fc.maxSafeNat(),
  cursor: fc.record({ segment: fc.maxSafeNat(), offset: fc.maxSafeNat() }),
  checksum: u64,
  pageCount: u32,
});
const mark = fc.record({ change: u32, frame: u32, salts: hex(16), checksum: hex(16) });
const position: fc.Arbitrary<Position> = fc.record({
  pageSizeBytes: fc.constantFrom(512, 4096, 65536),
  logId: hex(32),
  epoch: fc.maxSafeNat(),
  applied: point,
  intent: point,
  floor: point,
  left: mark,
  intended: mark,
  phase: fc.constantFrom("following" as const, "published" as const, "resyncing" as const),
  isClean: fc.boolean(),
  isStamped: fc.boolean(),
  stamp: fc.record({ sizeBytes: u64, modifiedNs: u64, changedNs: u64, device: u64, inode: u64 }),
  bootId: hex(32),
  commitTimeMs: fc.maxSafeNat(),
});
const [example] = fc.sample(position, { seed: 7, numRuns: 1 }) as [Position];

describe("the position file", () => {
  test("gives back what was written", () => {
    fc.assert(
      fc.property(position, fc.maxSafeNat(), (written, sequence) => {
        expect(decodePositionSlot(encodePosition(written, sequence))).toEqual({
          position: written,
          sequence,
        });
      }),
    );
  });

  test("of its two slots the newer one counts, in whichever place it stands", () => {
    const [older, newer] = [
      encodePosition({ ...example, epoch: 1 }, 8),
      encodePosition({ ...example, epoch: 2 }, 9),
    ];
    expect(decodePosition(Buffer.concat([older, newer]))?.position.epoch).toBe(2);
    expect(decodePosition(Buffer.concat([newer, older]))?.position.epoch).toBe(2);
  });

  test("a torn or flipped newer slot leaves the one before it", () => {
    const older = encodePosition({ ...example, epoch: 1 }, 8);
    const newer = encodePosition({ ...example, epoch: 2 }, 9);
    for (let cut = 0; cut < POSITION_SLOT_BYTES; cut++) {
      expect(decodePosition(Buffer.concat([older, newer.subarray(0, cut)]))?.position.epoch).toBe(1);
    }
    for (let bit = 0; bit < POSITION_SLOT_BYTES * 8; bit++) {
      const flipped = Buffer.from(newer);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodePosition(Buffer.concat([older, flipped]))?.position.epoch).toBe(1);
    }
  });

  test("an empty file is no position; bytes without one good slot are damage, never a guess", () => {
    expect(decodePosition(Buffer.alloc(0))).toBeUndefined();
    expect(() => decodePosition(Buffer.alloc(1024, 1))).toThrow(/neither slot/);
  });

  test.each([
    ["a number that memory could not hold exactly", 48, 1n << 53n],
    ["the largest number of all", 64, (1n << 64n) - 1n],
    ["bytes where there are to be none", 400, 1n],
  ])("a slot with %s is none, although its checksum is right", (_what, at, value) => {
    const slot = encodePosition(example, 2);
    slot.writeBigUInt64LE(value, at);
    slot.writeUInt32LE(crc(slot), POSITION_SLOT_BYTES - 4);
    expect(decodePositionSlot(slot)).toBeUndefined();
  });

  test("a later format is refused by its version", () => {
    const slot = encodePosition(example, 1);
    // Sealed anew, as a later version would be: only the version differs.
    slot.writeUInt32LE(2, 8);
    slot.writeUInt32LE(crc(slot), POSITION_SLOT_BYTES - 4);
    expect(() => decodePosition(slot)).toThrow(/version 2/);
  });
});

function crc(slot: Buffer): number {
  return crc32(slot.subarray(0, POSITION_SLOT_BYTES - 4));
}
