import fc from "fast-check";
import { TailraceError } from "../../shared/errors.ts";
import { decodeFragment, fragmentLength, imagesOffset, sealFragment } from "../../shared/format/record.ts";
import type { Fragment, FragmentHeader } from "../../shared/format/record.ts";
import { SEGMENT_HEADER_BYTES, decodeSegmentHeader } from "../../shared/format/segment.ts";
import type { SegmentHeader } from "../../shared/format/segment.ts";
import type { PageNumber } from "../../shared/units.ts";

/** What a fragment is made of, apart from what the encoder derives. */
export interface FragmentParts {
  readonly header: Omit<FragmentHeader, "lengthBytes" | "pageCount">;
  readonly pageNumbers: readonly PageNumber[];
  readonly images: Buffer;
}

/** @param dirt what the memory of the fragment held before: none of it may show in the bytes */
export function encodeFragment({ header, pageNumbers, images }: FragmentParts, dirt = 0): Buffer {
  const bytes = Buffer.alloc(fragmentLength(pageNumbers.length, header.pageSizeBytes), dirt);
  images.copy(bytes, imagesOffset(pageNumbers.length));
  sealFragment(bytes, header, pageNumbers);
  return bytes;
}

const hex8: fc.Arbitrary<string> = fc
  .uint8Array({ minLength: 8, maxLength: 8 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
const u64: fc.Arbitrary<bigint> = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const u32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffffffff });
const natural: fc.Arbitrary<number> = fc.oneof(
  fc.nat(1000),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
);
export const pageSizes: fc.Arbitrary<number> = fc.constantFrom(
  512,
  1024,
  2048,
  4096,
  8192,
  16384,
  32768,
  65536,
);

/** Any fragment whatever, of few pages. */
export const fragments: fc.Arbitrary<FragmentParts> = pageSizes.chain((pageSizeBytes) =>
  fc
    .record({
      header: fc.record({
        txid: natural,
        epoch: natural,
        commitTimeMs: natural,
        checksumBefore: u64,
        checksumAfter: u64,
        pageSizeBytes: fc.constant(pageSizeBytes),
        databasePageCount: u32,
        fragmentIndex: u32,
        isDifference: fc.boolean(),
        source: fc.record({ frame: u32, salts: hex8, checksum: hex8 }),
      }),
      pageNumbers: fc.uniqueArray(fc.integer({ min: 1, max: 0xffffffff }), { maxLength: 5 }),
      pattern: fc.uint8Array({ minLength: 1, maxLength: 32 }),
    })
    .map(({ header, pageNumbers, pattern }) => ({
      header,
      pageNumbers,
      images: Buffer.alloc(pageNumbers.length * pageSizeBytes, pattern),
    })),
);

/** A segment read as a newcomer would who has nothing but the layouts: the witness of the format tests. */
export interface SegmentContent {
  readonly header: SegmentHeader;
  readonly records: readonly (readonly Fragment[])[];
  /** Bytes after the last whole record: a torn tail. */
  readonly restBytes: number;
}

/** @throws damaged, unknown_version */
export function readSegment(bytes: Buffer): SegmentContent {
  const header = decodeSegmentHeader(bytes);
  const records: Fragment[][] = [];
  let record: Fragment[] = [];
  let end = SEGMENT_HEADER_BYTES;
  for (let at = end; at < bytes.length;) {
    const fragment = decodeFragment(bytes.subarray(at));
    if (fragment === undefined) break;
    if (fragment.lengthBytes <= 0) throw new TailraceError("internal", "a fragment without length");
    at += fragment.lengthBytes;
    record.push(fragment);
    if (fragment.databasePageCount === 0) continue;
    records.push(record);
    record = [];
    end = at;
  }
  return { header, records, restBytes: bytes.length - end };
}

/** Bytes as text that a diff can show: 32 bytes a line in hex. */
export function toHexLines(bytes: Buffer): string {
  return bytes.toString("hex").replaceAll(/.{1,64}/g, "$&\n");
}

export function fromHexLines(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ""), "hex");
}
