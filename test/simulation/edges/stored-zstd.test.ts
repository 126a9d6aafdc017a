import { zstdDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { storeAsZstd } from "./stored-zstd.ts";

test.each([0, 1, 1000, 128 * 1024, 300_000])("%i bytes come out as they went in", (length) => {
  const bytes = Buffer.alloc(length, "tailrace");
  expect(zstdDecompressSync(storeAsZstd(bytes))).toEqual(bytes);
});
