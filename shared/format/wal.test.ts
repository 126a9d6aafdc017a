import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { writeRealWal } from "../../test/harness/sqlite-wal.ts";
import type { RealWal } from "../../test/harness/sqlite-wal.ts";
import { decodeWalIndexHeader } from "./wal-index.ts";
import {
  FRAME_HEADER_BYTES,
  WAL_HEADER_BYTES,
  WalChecksum,
  alignedBuffer,
  decodeWalHeader,
  encodeWalHeader,
  frameOffset,
  salt1,
  sealFrame,
  verifyFrame,
  wordsOf,
} from "./wal.ts";
import type { WalHeader } from "./wal.ts";

const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

/** How many frames verify, one after the other, from the WAL's first. */
function verifiedFrames(
  { wal }: Pick<RealWal, "wal">,
  header: WalHeader,
  limit = Infinity,
): [number, string] {
  const checksum = new WalChecksum(header.isBigEndianChecksum, header.checksum);
  const words = wordsOf(wal);
  const { pageSizeBytes, salts } = header;
  let frames = 0;
  while (frames < limit && frameOffset(frames + 2, pageSizeBytes) <= wal.length) {
    if (!verifyFrame(wal, words, frameOffset(frames + 1, pageSizeBytes), pageSizeBytes, salts, checksum))
      break;
    frames++;
  }
  return [frames, checksum.toString()];
}

describe("a WAL that SQLite wrote", () => {
  it.each(PAGE_SIZES)(
    "verifies frame by frame up to what the wal-index says is committed: pages of %d",
    (size) => {
      const real = writeRealWal(temporaryFolder(), size, 40);
      const header = decodeWalHeader(real.wal)!;
      const index = decodeWalIndexHeader(real.shm)!;
      expect(header).toMatchObject({ pageSizeBytes: size, isBigEndianChecksum: false, salts: index.salts });
      expect(index.mxFrame).toBeGreaterThan(40);
      expect(verifiedFrames(real, header, index.mxFrame)).toEqual([index.mxFrame, index.frameChecksum]);
      const last = frameOffset(index.mxFrame, size);
      expect(real.wal.readUInt32BE(last + 4)).toBe(real.databasePageCount);
      // Frames of the open transaction verify too, which is why the wal-index alone says what is committed.
      expect(verifiedFrames(real, header)[0]).toBeGreaterThan(index.mxFrame);
    },
  );

  it.each([512, 4096, 65536])("on a big-endian host verifies as well: pages of %d", (size) => {
    const real = writeRealWal(temporaryFolder(), size, 20, "big");
    const header = decodeWalHeader(real.wal)!;
    const index = decodeWalIndexHeader(real.shm)!;
    expect(real.wal.readUInt32BE(0)).toBe(0x377f0683);
    expect([header.isBigEndianChecksum, index.isBigEndianChecksum]).toEqual([true, true]);
    // 20 rows were checksummed by the test's Python, 100 more by SQLite itself.
    expect(index.mxFrame).toBeGreaterThan(120);
    expect(verifiedFrames(real, header, index.mxFrame)).toEqual([index.mxFrame, index.frameChecksum]);
  });

  it("is what this code would have written: header and frames byte for byte", () => {
    const size = 4096;
    const real = writeRealWal(temporaryFolder(), size, 20);
    const header = decodeWalHeader(real.wal)!;
    expect(encodeWalHeader(header).equals(real.wal.subarray(0, WAL_HEADER_BYTES))).toBe(true);
    const ours = alignedBuffer(frameOffset(21, size));
    const words = wordsOf(ours);
    const checksum = new WalChecksum(false, header.checksum);
    encodeWalHeader(header).copy(ours);
    for (let frame = 1; frame <= 20; frame++) {
      const at = frameOffset(frame, size);
      real.wal.copy(ours, at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + size);
      const [pageNumber, pageCount] = [real.wal.readUInt32BE(at), real.wal.readUInt32BE(at + 4)];
      sealFrame(ours, words, at, size, pageNumber, pageCount, header.salts, checksum);
    }
    expect(ours.equals(real.wal.subarray(0, ours.length))).toBe(true);
  });

  it("with any single bit of a frame flipped breaks the chain at that frame", () => {
    const real = writeRealWal(temporaryFolder(), 512, 5);
    const header = decodeWalHeader(real.wal)!;
    const damaged = 3;
    const [start, end] = [frameOffset(damaged, 512) * 8, frameOffset(damaged + 1, 512) * 8];
    for (let bit = start; bit < end; bit++) {
      real.wal[bit >> 3]! ^= 1 << (bit & 7);
      expect(verifiedFrames(real, header)[0], `bit ${bit - start}`).toBe(damaged - 1);
      real.wal[bit >> 3]! ^= 1 << (bit & 7);
    }
  });
});

describe("a WAL header", () => {
  const header = { pageSizeBytes: 1024, checkpointSequence: 5, salts: "fffffffe01234567" };

  it("of any content decodes to what was encoded", () => {
    const headers = fc.record({
      pageSizeBytes: fc.constantFrom(...PAGE_SIZES),
      checkpointSequence: fc.integer({ min: 0, max: 0xffffffff }),
      salts: fc.stringMatching(/^[0-9a-f]{16}$/),
    });
    fc.assert(
      fc.property(headers, (each) => {
        expect(decodeWalHeader(encodeWalHeader(each))).toMatchObject({ ...each, isBigEndianChecksum: false });
      }),
    );
  });

  it("with any bit flipped, or cut short, is none: SQLite ignores such a WAL too", () => {
    const bytes = encodeWalHeader(header);
    for (let bit = 0; bit < WAL_HEADER_BYTES * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(decodeWalHeader(bytes), `bit ${bit}`).toBeUndefined();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    for (let length = 0; length < WAL_HEADER_BYTES; length++)
      expect(decodeWalHeader(bytes.subarray(0, length))).toBeUndefined();
    expect(decodeWalHeader(bytes)).toBeDefined();
  });

  it("tells salt-1, which grows by one with each restart, up to the last 32-bit number", () => {
    expect(salt1(header.salts)).toBe(0xfffffffe);
  });
});

describe("the checksum", () => {
  it("continues from its own text form, as a capture does after a restart", () => {
    const words = Int32Array.from({ length: 64 }, (_, index) => index * 0x9e3779b1);
    for (const isBigEndian of [false, true]) {
      const whole = new WalChecksum(isBigEndian);
      whole.update(words, 0, 64);
      const first = new WalChecksum(isBigEndian);
      first.update(words, 0, 30);
      const second = new WalChecksum(isBigEndian, first.toString());
      second.update(words, 30, 34);
      expect(second.toString()).toBe(whole.toString());
    }
  });

  it("refuses memory that is not aligned, rather than reading other words", () => {
    expect(() => wordsOf(alignedBuffer(16).subarray(2))).toThrow(
      expect.objectContaining({ code: "internal" }),
    );
  });
});
