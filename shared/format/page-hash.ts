import xxhash from "xxhash-wasm";
import type { PageNumber } from "../units.ts";

const hasher = await xxhash();

/**
 * The 64-bit hash of one page at its place: XXH64 of the page, seeded with the page number. The seed makes two pages
 * that change places show in the XOR.
 */
export function hashPage(pageNumber: PageNumber, page: Uint8Array): bigint {
  return hasher.h64Raw(page, BigInt(pageNumber));
}
