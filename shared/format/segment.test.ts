import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeFragment,
  fromHexLines,
  pageSizes,
  readSegment,
  toHexLines,
} from "../../test/harness/fragments.ts";
import type { SegmentContent } from "../../test/harness/fragments.ts";
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader, encodeSegmentHeader } from "./segment.ts";
import type { SegmentHeader } from "./segment.ts";

const header: SegmentHeader = {
  pageSizeBytes: 512,
  logId: "00112233445566778899aabbccddeeff",
  epoch: 3,
  segment: 2,
  firstTxid: 41,
  checksumBefore: 0x1111111111111111n,
  createdMs: 1_700_000_000_000,
  pageCountBefore: 4,
};
const common = { epoch: 3, pageSizeBytes: 512, commitTimeMs: 1_700_000_000_001 };
const source = { frame: 12, salts: "a0a1a2a3a4a5a6a7", checksum: "c0c1c2c3c4c5c6c7" };

/** A segment with a record of two fragments (41), one without a page (42), and a difference (43). */
const segment = Buffer.concat([
  encodeSegmentHeader(header),
  encodeFragment({
    header: {
      ...common,
      txid: 41,
      checksumBefore: 0x1111111111111111n,
      checksumAfter: 0x2222222222222222n,
      databasePageCount: 0,
      fragmentIndex: 0,
      isDifference: false,
      source,
    },
    pageNumbers: [1, 3],
    images: Buffer.alloc(1024, "page one, then page three. "),
  }),
  encodeFragment({
    header: {
      ...common,
      txid: 41,
      checksumBefore: 0x2222222222222222n,
      checksumAfter: 0x3333333333333333n,
      databasePageCount: 5,
      fragmentIndex: 1,
      isDifference: false,
      source,
    },
    pageNumbers: [5],
    images: Buffer.alloc(512, "page five. "),
  }),
  encodeFragment({
    header: {
      ...common,
      txid: 42,
      checksumBefore: 0x3333333333333333n,
      checksumAfter: 0x4444444444444444n,
      databasePageCount: 4,
      fragmentIndex: 0,
      isDifference: false,
      source: { ...source, frame: 13 },
    },
    pageNumbers: [],
    images: Buffer.alloc(0),
  }),
  encodeFragment({
    header: {
      ...common,
      txid: 43,
      checksumBefore: 0x4444444444444444n,
      checksumAfter: 0xffffffffffffffffn,
      databasePageCount: 4,
      fragmentIndex: 0,
      isDifference: true,
      source: { frame: 0, salts: "0000000000000000", checksum: "0000000000000000" },
    },
    pageNumbers: [2],
    images: Buffer.alloc(512, "page two. "),
  }),
]);

/** The bytes that readers of every later version have to understand. Written once; never to be regenerated. */
const golden = fromHexLines(
  readFileSync(new URL("../../test/golden/segment-v1.hex", import.meta.url), "latin1"),
);

/** The content, or the error thrown instead. */
function attempt(bytes: Buffer): unknown {
  try {
    return readSegment(bytes);
  } catch (error) {
    return error;
  }
}

/** The header with something overwritten, and its checksum right again. */
function forge(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(segment.subarray(0, SEGMENT_HEADER_BYTES));
  change(bytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 76)), 76);
  return bytes;
}

/** What a reader may act on: the header, and the records that are whole. */
function meaning({ header: head, records }: SegmentContent): unknown {
  return [head, records.map((record) => record.map(({ images, ...rest }) => [rest, images.toString("hex")]))];
}

describe("the segment format, version 1", () => {
  it("is frozen: this build writes the golden bytes", () => {
    expect(toHexLines(segment)).toBe(toHexLines(golden));
  });

  it("is frozen: this build reads the golden bytes", () => {
    const content = readSegment(golden);
    expect(content.header).toEqual(header);
    expect(content.restBytes).toBe(0);
    expect(content.records.map((record) => record.map((each) => [each.txid, each.pageNumbers]))).toEqual([
      [
        [41, [1, 3]],
        [41, [5]],
      ],
      [[42, []]],
      [[43, [2]]],
    ]);
    expect(content.records[2]![0]).toMatchObject({ isDifference: true, checksumAfter: 0xffffffffffffffffn });
  });

  it("decodes any header to what was encoded", () => {
    const number = fc.oneof(fc.nat(10), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
    const headers: fc.Arbitrary<SegmentHeader> = fc.record({
      pageSizeBytes: pageSizes,
      logId: fc.stringMatching(/^[0-9a-f]{32}$/),
      epoch: number,
      segment: number.map((n) => Math.max(n, 1)),
      firstTxid: number,
      checksumBefore: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      createdMs: number,
      pageCountBefore: fc.integer({ min: 0, max: 0xffffffff }),
    });
    fc.assert(
      fc.property(headers, (each) => {
        expect(decodeSegmentHeader(encodeSegmentHeader(each))).toEqual(each);
      }),
    );
  });
});

describe("damage to a segment", () => {
  it("every single bit flipped is detected, in the header and in each of four fragments", () => {
    const bytes = Buffer.from(segment);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(attempt(bytes), `bit ${bit} of ${bytes.length * 8}`).toMatchObject({ code: "damaged" });
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(attempt(bytes)).toMatchObject({ restBytes: 0 });
  });

  it("every truncation leaves exactly the records that are whole, and the rest is known to be a torn tail", () => {
    const whole = readSegment(segment);
    let end = SEGMENT_HEADER_BYTES;
    const ends = whole.records.map(
      (record) => (end += record.reduce((sum, each) => sum + each.lengthBytes, 0)),
    );
    for (let length = 0; length < segment.length; length++) {
      const content = attempt(segment.subarray(0, length));
      if (length < SEGMENT_HEADER_BYTES) {
        expect(content, `${length} bytes`).toMatchObject({ code: "damaged" });
        continue;
      }
      const kept = ends.filter((each) => each <= length).length;
      expect(meaning(content as SegmentContent), `${length} bytes`).toEqual(
        meaning({ ...whole, records: whole.records.slice(0, kept) }),
      );
      const expectedEnd = ends[kept - 1] ?? SEGMENT_HEADER_BYTES;
      expect((content as SegmentContent).restBytes, `${length} bytes`).toBe(length - expectedEnd);
    }
  });

  it("a tail of zeros, as file systems leave after a crash, is damage and no record", () => {
    expect(attempt(Buffer.concat([segment, Buffer.alloc(4096)]))).toMatchObject({ code: "damaged" });
  });

  it("of any kind never does worse than a TailraceError, and never invents a record", () => {
    const records = (readSegment(segment).records as unknown[]).length;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(segment.length - 1), fc.integer({ min: 1, max: 255 })), {
          minLength: 1,
          maxLength: 20,
        }),
        fc.nat(segment.length),
        (overwrites, length) => {
          const bytes = Buffer.from(segment);
          for (const [offset, value] of overwrites) bytes[offset]! ^= value;
          const outcome = attempt(bytes.subarray(0, length));
          if ("code" in (outcome as object)) expect(outcome).toMatchObject({ code: "damaged" });
          else expect((outcome as SegmentContent).records.length).toBeLessThanOrEqual(records);
        },
      ),
    );
  });
});

describe("a segment header that this build cannot use", () => {
  it.each([0, 2, 4_000_000_000])("version %d is refused by name", (version) => {
    expect(attempt(forge((bytes) => bytes.writeUInt32LE(version, 8)))).toMatchObject({
      code: "unknown_version",
      message: `segment format version ${version}, this build reads 1`,
      hint: "Use the version of Tailrace that wrote it, or a later one.",
    });
  });

  it.each<[string, (bytes: Buffer) => void]>([
    ["a page size of 0", (bytes) => bytes.writeUInt32LE(0, 12)],
    ["a page size of 1000", (bytes) => bytes.writeUInt32LE(1000, 12)],
    ["segment 0", (bytes) => bytes.writeBigUInt64LE(0n, 40)],
    ["a segment beyond 2^53", (bytes) => bytes.writeBigUInt64LE(2n ** 53n, 40)],
    ["a txid beyond 2^53", (bytes) => bytes.writeBigUInt64LE(2n ** 64n - 1n, 48)],
    ["an epoch beyond 2^53", (bytes) => bytes.writeBigUInt64LE(2n ** 60n, 32)],
  ])("%s makes no sense, and is damage", (_what, change) => {
    expect(attempt(forge(change))).toMatchObject({ code: "damaged" });
  });

  it("another file altogether is named as such", () => {
    expect(attempt(Buffer.alloc(100, "SQLite format 3\0"))).toMatchObject({
      code: "damaged",
      message: "not a segment: wrong magic",
    });
  });

  it("is never written: a log id that is not 32 hex digits is refused", () => {
    expect(() => encodeSegmentHeader({ ...header, logId: "0011" })).toThrow(
      expect.objectContaining({ code: "internal" }),
    );
  });
});
