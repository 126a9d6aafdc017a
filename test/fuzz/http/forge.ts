import type { LogPrimary } from "../../harness/log-primary.ts";
import { fragmentLength, imagesOffset, sealFragment } from "../../../shared/format/record.ts";
import type { FragmentHeader } from "../../../shared/format/record.ts";
import { hashPage } from "../../../shared/format/page-hash.ts";
import type { PageNumber } from "../../../shared/units.ts";

/** Pages of a record that is made up, with its place in the log; what is left out continues the honest log. */
export interface Forgery extends Partial<Omit<FragmentHeader, "lengthBytes" | "pageCount">> {
  readonly pages?: readonly { readonly page: PageNumber; readonly image: Buffer }[];
}

/** A fragment whose checksums are right, whatever it says, as the next one of the honest log. */
export function forge(primary: LogPrimary, { pages = [], ...claims }: Forgery): Buffer {
  const pageSizeBytes = claims.pageSizeBytes ?? 4096;
  const bytes = Buffer.alloc(fragmentLength(pages.length, pageSizeBytes));
  pages.forEach(({ image }, index) => image.copy(bytes, imagesOffset(pages.length) + index * pageSizeBytes));
  const before = BigInt(`0x${primary.checksum}`);
  sealFragment(
    bytes,
    {
      txid: primary.txid + 1,
      epoch: 1,
      commitTimeMs: 1_700_000_000_000,
      checksumBefore: before,
      checksumAfter: before,
      pageSizeBytes,
      databasePageCount: 0,
      fragmentIndex: 0,
      isDifference: false,
      source: { frame: 0, salts: "00".repeat(8), checksum: "00".repeat(8) },
      ...claims,
    },
    pages.map(({ page }) => page),
  );
  return bytes;
}

/** What the database checksum becomes when pages that did not exist are added. */
export function checksumWith(
  before: bigint,
  pages: readonly { readonly page: PageNumber; readonly image: Buffer }[],
): bigint {
  return pages.reduce((sum, { page, image }) => sum ^ hashPage(page, image), before);
}

/** Pages from one on, filled with one byte. */
export function manyPages(first: PageNumber, fill: number): { page: PageNumber; image: Buffer }[] {
  const image = Buffer.alloc(4096, fill);
  return Array.from({ length: 32 }, (_, index) => ({
    page: first + index,
    image,
  }));
}
