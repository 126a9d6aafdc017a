import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFragment, fragments } from "../../test/harness/fragments.ts";
import type { FragmentParts } from "../../test/harness/fragments.ts";
import { TailraceError } from "../errors.ts";
import {
  FRAGMENT_HEADER_BYTES,
  MAX_FRAGMENT_IMAGE_BYTES,
  decodeFragment,
  decodeFragmentHeader,
  fragmentLength,
  imagesOffset,
  isPageSize,
  maxFragmentPages,
  sealFragment,
} from "./record.ts";

const example: FragmentParts = {
  header: {
    txid: 7,
    epoch: 1,
    commitTimeMs: 1_700_000_000_000,
    checksumBefore: 0x0123456789abcdefn,
    checksumAfter: 0xfedcba9876543210n,
    pageSizeBytes: 512,
    databasePageCount: 9,
    fragmentIndex: 0,
    isDifference: false,
    source: { frame: 3, salts: "00112233aabbccdd", checksum: "8899aabb44556677" },
  },
  pageNumbers: [1, 5, 9],
  images: Buffer.alloc(3 * 512, "some page"),
};

/** The fragment with one header field overwritten, and all checksums right again. */
function forge(bytes: Buffer, change: (forged: Buffer) => void): Buffer {
  const forged = Buffer.from(bytes);
  change(forged);
  forged.writeUInt32LE(crc32(forged.subarray(FRAGMENT_HEADER_BYTES)), 88);
  forged.writeUInt32LE(crc32(forged.subarray(0, 92)), 92);
  return forged;
}

function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("a fragment", () => {
  it("of any transaction decodes to what was encoded", () => {
    fc.assert(
      fc.property(fragments, (parts) => {
        const bytes = encodeFragment(parts);
        const { images, pageNumbers, lengthBytes, pageCount, ...header } = decodeFragment(bytes)!;
        expect(header).toEqual(parts.header);
        expect(pageNumbers).toEqual(parts.pageNumbers);
        expect(images.equals(parts.images)).toBe(true);
        expect([lengthBytes, pageCount]).toEqual([bytes.length, parts.pageNumbers.length]);
      }),
    );
  });

  it("has the same bytes whatever its memory held before, so that every copy of a log is byte-identical", () => {
    fc.assert(
      fc.property(fragments, fc.integer({ min: 1, max: 255 }), (parts, dirt) => {
        expect(encodeFragment(parts, dirt).equals(encodeFragment(parts, 0))).toBe(true);
      }),
    );
  });

  it("is read the same when more of the log follows it", () => {
    const bytes = encodeFragment(example);
    expect(decodeFragment(Buffer.concat([bytes, Buffer.alloc(700, 0xff)]))).toEqual(decodeFragment(bytes));
  });

  it("is not there until its last byte is: every shorter prefix is incomplete, none is an error", () => {
    const bytes = encodeFragment(example);
    for (let length = 0; length < bytes.length; length++)
      expect(decodeFragment(bytes.subarray(0, length)), `${length} bytes`).toBeUndefined();
    expect(decodeFragment(bytes)).toBeDefined();
  });

  it("with any single bit flipped is reported as damaged", () => {
    const bytes = encodeFragment(example);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(
        failure(() => decodeFragment(bytes)),
        `bit ${bit}`,
      ).toMatchObject({ code: "damaged" });
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect(decodeFragment(bytes)).toBeDefined();
  });

  it("is never made of noise, and noise never does worse than a TailraceError", () => {
    const magic = encodeFragment(example).subarray(0, 4);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (noise, hasMagic) => {
        const bytes = Buffer.concat([hasMagic ? magic : Buffer.alloc(0), noise]);
        const error = failure(() => expect(decodeFragment(bytes)).toBeUndefined());
        if (bytes.length >= FRAGMENT_HEADER_BYTES) expect(error).toMatchObject({ code: "damaged" });
        else expect(error).toBeUndefined();
      }),
    );
  });

  it("may carry no page: a transaction that only makes the database shorter", () => {
    const bytes = encodeFragment({ ...example, pageNumbers: [], images: Buffer.alloc(0) });
    expect(bytes.length).toBe(FRAGMENT_HEADER_BYTES);
    expect(decodeFragment(bytes)).toMatchObject({ pageCount: 0, pageNumbers: [], databasePageCount: 9 });
  });

  it("of the largest size fits the limit that readers allocate for, at every page size", () => {
    for (let pageSizeBytes = 512; pageSizeBytes <= 65536; pageSizeBytes *= 2) {
      const pageCount = maxFragmentPages(pageSizeBytes);
      expect(pageCount * pageSizeBytes).toBe(MAX_FRAGMENT_IMAGE_BYTES);
      const bytes = encodeFragment({
        header: { ...example.header, pageSizeBytes },
        pageNumbers: Array.from({ length: pageCount }, (_, index) => index + 1),
        images: Buffer.alloc(MAX_FRAGMENT_IMAGE_BYTES, pageSizeBytes & 0xff),
      });
      expect(decodeFragment(bytes)?.pageCount).toBe(pageCount);
    }
  });

  it("places its images so that a reader can view them as 64-bit words", () => {
    for (let pageCount = 0; pageCount < 20; pageCount++) {
      expect(imagesOffset(pageCount) % 8).toBe(0);
      expect(imagesOffset(pageCount)).toBeGreaterThanOrEqual(FRAGMENT_HEADER_BYTES + 4 * pageCount);
      expect(fragmentLength(pageCount, 512) % 8).toBe(0);
    }
  });
});

describe("a fragment with valid checksums that makes no sense is damaged all the same", () => {
  const bytes = encodeFragment(example);
  it.each<[string, (forged: Buffer) => void]>([
    ["a length that is not that of its pages", (forged) => forged.writeUInt32LE(bytes.length + 8, 4)],
    ["a page size of 0", (forged) => forged.writeUInt32LE(0, 48)],
    ["a page size of 768", (forged) => forged.writeUInt32LE(768, 48)],
    ["four billion pages", (forged) => forged.writeUInt32LE(0xffffffff, 52)],
    ["a txid beyond 2^53", (forged) => forged.writeBigUInt64LE(2n ** 53n, 8)],
    ["an epoch beyond 2^53", (forged) => forged.writeBigUInt64LE(2n ** 64n - 1n, 16)],
    ["a commit time beyond 2^53", (forged) => forged.writeBigUInt64LE(2n ** 63n, 24)],
    ["page number 0", (forged) => forged.writeUInt32LE(0, FRAGMENT_HEADER_BYTES + 4)],
    ["one page twice", (forged) => forged.writeUInt32LE(1, FRAGMENT_HEADER_BYTES + 4)],
    ["padding that is not zero", (forged) => forged.writeUInt32LE(1, FRAGMENT_HEADER_BYTES + 12)],
  ])("%s", (_what, change) => {
    expect(failure(() => decodeFragment(forge(bytes, change)))).toMatchObject({ code: "damaged" });
  });

  it("more pages than a fragment may have, before anything of that size is read", () => {
    const pageCount = maxFragmentPages(512) + 1;
    const header = forge(bytes, (forged) => {
      forged.writeUInt32LE(pageCount, 52);
      forged.writeUInt32LE(fragmentLength(pageCount, 512), 4);
    }).subarray(0, FRAGMENT_HEADER_BYTES);
    expect(failure(() => decodeFragmentHeader(header))).toMatchObject({ code: "damaged" });
  });

  it("refuses flags that only a later Tailrace knows, by name", () => {
    const forged = forge(bytes, (later) => later.writeUInt32LE(0x80000002, 64));
    const error = failure(() => decodeFragment(forged));
    expect(error).toBeInstanceOf(TailraceError);
    expect(error).toMatchObject({
      code: "unknown_version",
      message: "record of transaction 7 has flags 0x80000002, this build knows 0x1",
    });
  });
});

describe("the encoder refuses what would not read back", () => {
  it.each<[string, Partial<FragmentParts["header"]>]>([
    [
      "salts cut short, which would leave bytes of an earlier record",
      { source: { ...example.header.source, salts: "0011" } },
    ],
    ["a checksum that is no hex", { source: { ...example.header.source, checksum: "no hex at all!!!" } }],
    ["another page size than the images have", { pageSizeBytes: 1024 }],
  ])("%s", (_what, change) => {
    const length = fragmentLength(example.pageNumbers.length, 512);
    expect(
      failure(() => {
        const bytes = Buffer.alloc(length);
        sealFragment(bytes, { ...example.header, ...change }, example.pageNumbers);
      }),
    ).toMatchObject({ code: "internal" });
  });
});

describe("page sizes", () => {
  it("are the powers of two from 512 to 65536 and nothing else", () => {
    const valid = Array.from({ length: 70_000 }, (_, bytes) => bytes).filter(isPageSize);
    expect(valid).toEqual([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]);
    for (const bytes of [-512, 512.5, 2 ** 32 + 512, Number.NaN]) expect(isPageSize(bytes)).toBe(false);
  });
});
