import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { writeRealWal } from "../../test/harness/sqlite-wal.ts";
import type { RealWal } from "../../test/harness/sqlite-wal.ts";
import { alignedBuffer, frameOffset } from "./wal.ts";
import {
  BLOCK_BYTES,
  HEADER_COPY_BYTES,
  WAL_INDEX_HEADER_BYTES,
  WalIndexBlock,
  blockOf,
  decodeWalIndexHeader,
  encodeWalIndexHeader,
  framesBefore,
  readBackfill,
} from "./wal-index.ts";
import type { WalIndexHeader } from "./wal-index.ts";

/** Block 0 begins with the header, and holds fewer frames: 4062, then 4096 each. */
const FRAMES_OF_THREE_BLOCKS = 4062 + 4096 + 500;

function blockFrom(shm: Buffer, block: number): WalIndexBlock {
  const bytes = alignedBuffer(BLOCK_BYTES);
  shm.copy(bytes, 0, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
  return new WalIndexBlock(block, bytes);
}

function blocksFrom(shm: Buffer): WalIndexBlock[] {
  return Array.from({ length: shm.length / BLOCK_BYTES }, (_, block) => blockFrom(shm, block));
}

/** The newest frame of a page up to `maxFrame`, over all blocks, newest first: as SQLite's readers look. */
function find(blocks: readonly WalIndexBlock[], pageNumber: number, maxFrame: number): number {
  for (let block = blockOf(maxFrame); block >= 0; block--) {
    const frame = blocks[block]!.find(pageNumber, maxFrame);
    if (frame !== 0) return frame;
  }
  return 0;
}

function pageNumbersOf({ wal }: RealWal, pageSizeBytes: number, frames: number): number[] {
  return Array.from({ length: frames }, (_, index) =>
    wal.readUInt32BE(frameOffset(index + 1, pageSizeBytes)),
  );
}

describe("a wal-index that SQLite wrote", () => {
  it("of more than two blocks leads to the newest frame of every page, at every limit tried", () => {
    const real = writeRealWal(temporaryFolder(), 512, FRAMES_OF_THREE_BLOCKS);
    const { mxFrame, databasePageCount } = decodeWalIndexHeader(real.shm)!;
    expect(blockOf(mxFrame)).toBeGreaterThanOrEqual(2);
    expect(databasePageCount).toBe(real.databasePageCount);
    const blocks = blocksFrom(real.shm);
    const pages = pageNumbersOf(real, 512, mxFrame);
    for (const [index, pageNumber] of pages.entries())
      expect(blocks[blockOf(index + 1)]!.pageNumberAt(index + 1)).toBe(pageNumber);
    for (const limit of [1, 4061, 4062, 4063, 4062 + 4096, 4062 + 4096 + 1, mxFrame]) {
      const newest = new Map(pages.slice(0, limit).map((pageNumber, index) => [pageNumber, index + 1]));
      for (let pageNumber = 1; pageNumber <= databasePageCount + 5; pageNumber++) {
        const found = find(blocks, pageNumber, limit);
        if (found !== (newest.get(pageNumber) ?? 0))
          expect.fail(`page ${pageNumber} at limit ${limit}: ${found}, not ${newest.get(pageNumber) ?? 0}`);
      }
    }
  });

  it("is what this code would have written: page numbers and hash slots of every block byte for byte", () => {
    const real = writeRealWal(temporaryFolder(), 512, FRAMES_OF_THREE_BLOCKS);
    const { mxFrame } = decodeWalIndexHeader(real.shm)!;
    const pages = pageNumbersOf(real, 512, mxFrame);
    for (const theirs of blocksFrom(real.shm)) {
      const ours = new WalIndexBlock(theirs.block);
      const end = Math.min(mxFrame, framesBefore(theirs.block + 1));
      for (let frame = framesBefore(theirs.block) + 1; frame <= end; frame++)
        ours.insert(frame, pages[frame - 1]!);
      theirs.truncate(mxFrame); // The open transaction's frames stand in SQLite's index as well.
      const skipped = theirs.block === 0 ? WAL_INDEX_HEADER_BYTES : 0;
      expect(ours.bytes.compare(theirs.bytes, skipped, BLOCK_BYTES, skipped, BLOCK_BYTES)).toBe(0);
    }
  });

  it.each([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])(
    "has a header that this code writes the same: pages of %d",
    (size) => {
      const { shm } = writeRealWal(temporaryFolder(), size, 3);
      const header = decodeWalIndexHeader(shm)!;
      expect(header.pageSizeBytes).toBe(size);
      expect(encodeWalIndexHeader(header).equals(shm.subarray(0, HEADER_COPY_BYTES))).toBe(true);
      expect(readBackfill(shm)).toBe(0);
    },
  );

  it("with big-endian checksums has a header that this code writes the same", () => {
    const { shm } = writeRealWal(temporaryFolder(), 4096, 3, "big");
    const header = decodeWalIndexHeader(shm)!;
    expect(header.isBigEndianChecksum).toBe(true);
    expect(encodeWalIndexHeader(header).equals(shm.subarray(0, HEADER_COPY_BYTES))).toBe(true);
  });
});

const u32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffffffff });
const hex8: fc.Arbitrary<string> = fc.stringMatching(/^[0-9a-f]{16}$/);
const headers: fc.Arbitrary<WalIndexHeader> = fc.record({
  change: u32,
  pageSizeBytes: fc.constantFrom(0, 512, 4096, 32768, 65536),
  isBigEndianChecksum: fc.boolean(),
  mxFrame: u32,
  databasePageCount: u32,
  frameChecksum: hex8,
  salts: hex8,
});

describe("a wal-index header", () => {
  it("of any content decodes to what was encoded", () => {
    fc.assert(
      fc.property(headers, (header) => {
        const copy = encodeWalIndexHeader(header);
        expect(decodeWalIndexHeader(Buffer.concat([copy, copy]))).toEqual(header);
      }),
    );
  });

  it("is not believed while a writer is between its two copies, wherever it is", () => {
    fc.assert(
      fc.property(
        headers,
        headers,
        fc.integer({ min: 0, max: 2 * HEADER_COPY_BYTES }),
        (before, after, cut) => {
          const old = Buffer.concat([encodeWalIndexHeader(before), encodeWalIndexHeader(before)]);
          const now = Buffer.concat([encodeWalIndexHeader(after), encodeWalIndexHeader(after)]);
          // SQLite writes the second copy first; the reader sees any prefix of that work.
          const written = Buffer.concat([
            now.subarray(HEADER_COPY_BYTES),
            now.subarray(0, HEADER_COPY_BYTES),
          ]);
          const unwritten = Buffer.concat([
            old.subarray(HEADER_COPY_BYTES),
            old.subarray(0, HEADER_COPY_BYTES),
          ]);
          const mixed = Buffer.concat([written.subarray(0, cut), unwritten.subarray(cut)]);
          const seen = Buffer.concat([
            mixed.subarray(HEADER_COPY_BYTES),
            mixed.subarray(0, HEADER_COPY_BYTES),
          ]);
          const header = decodeWalIndexHeader(seen);
          if (header !== undefined) expect([before, after]).toContainEqual(header);
        },
      ),
    );
  });

  it("with any single bit flipped in either copy or in both is none", () => {
    const copy = encodeWalIndexHeader({
      change: 7,
      pageSizeBytes: 4096,
      isBigEndianChecksum: false,
      mxFrame: 11,
      databasePageCount: 12,
      frameChecksum: "0123456789abcdef",
      salts: "fedcba9876543210",
    });
    for (let bit = 0; bit < HEADER_COPY_BYTES * 8; bit++) {
      const flipped = Buffer.from(copy);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      for (const pair of [
        [flipped, copy],
        [copy, flipped],
        [flipped, flipped],
      ])
        expect(decodeWalIndexHeader(Buffer.concat(pair)), `bit ${bit}`).toBeUndefined();
    }
    expect(decodeWalIndexHeader(Buffer.concat([copy, copy]))).toBeDefined();
  });

  it.each([
    ["a page size that SQLite does not have", { pageSizeBytes: 513 }],
    ["a page size below its smallest", { pageSizeBytes: 256 }],
  ])("with %s is none, although its checksum is right", (_what, change) => {
    const [header] = fc.sample(headers, { seed: 1, numRuns: 1 });
    const copy = encodeWalIndexHeader({ ...header!, ...change });
    expect(decodeWalIndexHeader(Buffer.concat([copy, copy]))).toBeUndefined();
  });

  it("cut short, or all zero as before the first use, is none", () => {
    expect(decodeWalIndexHeader(Buffer.alloc(WAL_INDEX_HEADER_BYTES))).toBeUndefined();
    expect(decodeWalIndexHeader(Buffer.alloc(95))).toBeUndefined();
  });
});

/** Different pages, many of which share a hash slot. */
function collide(index: number): number {
  return index % 2 === 0 ? 8192 * index + 1 : index;
}

describe("the frames of a block", () => {
  it("are refused where somebody has left no slot free, rather than looked for without end", () => {
    const bytes = alignedBuffer(BLOCK_BYTES);
    new Uint16Array(bytes.buffer, 16_384).fill(1);
    expect(() => new WalIndexBlock(1, bytes).insert(5000, 3)).toThrow(
      expect.objectContaining({ code: "damaged" }),
    );
  });

  it("follow one another without gap or overlap", () => {
    for (let frame = 1; frame <= 20_000; frame++) {
      const block = blockOf(frame);
      if (frame <= framesBefore(block) || frame > framesBefore(block + 1)) expect.fail(`frame ${frame}`);
    }
    expect([framesBefore(0), framesBefore(1), framesBefore(2)]).toEqual([0, 4062, 8158]);
  });

  it("are found as a plain list of frames would have it, also after an interrupted writer's are forgotten", () => {
    const steps = fc.array(
      fc.oneof(
        {
          weight: 9,
          arbitrary: fc.record({
            insert: fc.oneof(
              fc.integer({ min: 1, max: 9 }),
              u32.filter((n) => n > 0),
            ),
          }),
        },
        { weight: 1, arbitrary: fc.record({ keep: fc.nat(30) }) },
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.nat(2), fc.nat(70), (history, number, limit) => {
        const block = new WalIndexBlock(number);
        const before = framesBefore(number);
        const model: number[] = [];
        for (const step of history) {
          if ("insert" in step) block.insert(before + model.push(step.insert), step.insert);
          else {
            model.length = Math.min(model.length, step.keep);
            block.truncate(before + step.keep);
          }
        }
        for (const pageNumber of new Set([1, 2, 3, ...model])) {
          const index = model.slice(0, limit).lastIndexOf(pageNumber);
          expect(block.find(pageNumber, before + limit)).toBe(index < 0 ? 0 : before + index + 1);
        }
      }),
    );
  });

  it("are all found in a full block, whose pages collide in every way", () => {
    const block = new WalIndexBlock(1);
    for (let index = 0; index < 4096; index++) block.insert(framesBefore(1) + index + 1, collide(index) || 1);
    for (let index = 2; index < 4096; index++) {
      const found = block.find(collide(index), framesBefore(2));
      if (found !== framesBefore(1) + index + 1)
        expect.fail(`frame ${index + 1} of the block: found ${found}`);
    }
    expect(block.find(99_999_999, framesBefore(2))).toBe(0);
  });
});
