import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { xxh64 } from "../../test/harness/xxh64.ts";
import { hashPage } from "./page-hash.ts";

describe("the hash of a page", () => {
  it.each([
    // Published test vectors: the empty input and "abc" of XXH64, seed 0.
    ["", 0, 0xef46db3751d8e999n],
    ["abc", 0, 0x44bc2cf5ad770999n],
  ])("is XXH64: %j with seed %d", (text, seed, expected) => {
    expect(hashPage(seed, Buffer.from(text))).toBe(expected);
    expect(xxh64(Buffer.from(text), BigInt(seed))).toBe(expected);
  });

  it("is frozen: a page table or log written today must be understood tomorrow", () => {
    const page = Buffer.alloc(4096, "tailrace");
    expect(hashPage(1, page).toString(16)).toBe("39edec6ec2a19f80");
    expect(hashPage(0xffffffff, page).toString(16)).toBe("af198ca4038c5681");
    expect(hashPage(7, Buffer.alloc(512)).toString(16)).toBe("f7032e09311b884d");
  });

  it("equals XXH64 as its specification has it, for every page size and page number", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(512, 1024, 2048, 4096, 8192),
        fc.integer({ min: 1, max: 0xffffffff }),
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        (size, pageNumber, pattern) => {
          const page = Buffer.alloc(size, pattern);
          expect(hashPage(pageNumber, page)).toBe(xxh64(page, BigInt(pageNumber)));
        },
      ),
      { numRuns: 30 },
    );
    const large = Buffer.alloc(65536, "any pattern whose length divides no page ");
    expect(hashPage(3, large)).toBe(xxh64(large, 3n));
  });

  it("does not depend on where in memory the page stands", () => {
    const around = Buffer.alloc(3 * 512 + 1, 0xee);
    const page = Buffer.alloc(512, "page");
    page.copy(around, 513);
    expect(hashPage(9, around.subarray(513, 1025))).toBe(hashPage(9, page));
  });

  it("shows two pages that changed places, which a hash without the page number would not", () => {
    const [a, b] = [Buffer.alloc(512, "a"), Buffer.alloc(512, "b")];
    expect(hashPage(1, a) ^ hashPage(2, b)).not.toBe(hashPage(1, b) ^ hashPage(2, a));
  });

  it("shows two equal pages, which would cancel out in an XOR without the page number", () => {
    const page = Buffer.alloc(512, "same");
    expect(hashPage(1, page) ^ hashPage(2, page)).not.toBe(0n);
  });
});
