import { randomBytes } from "node:crypto";
import type * as fs from "node:fs";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { hashPage } from "../format/page-hash.ts";
import type { DatabaseView } from "../pages/database-view.ts";
import { writeSnapshot } from "./write-snapshot.ts";

const PAGE_BYTES = 65536;
const MOST_AT_ONCE = 300_000;
/** Writes until the disk is full. */
let writesLeft = Infinity;

vi.mock("node:fs", async (original) => {
  const real = await original<typeof fs>();
  return {
    ...real,
    /** A thread that is slow, and takes less than it is given. */
    write: (
      descriptor: number,
      bytes: Buffer,
      from: number,
      length: number,
      position: number,
      done: (error: Error | null, count?: number) => void,
    ) => {
      const carryOut = (): void => {
        if (writesLeft-- === 0) return done(Object.assign(new Error("ENOSPC: full"), { code: "ENOSPC" }));
        const count = Math.min(length, MOST_AT_ONCE);
        return done(null, real.writeSync(descriptor, bytes, from, count, position));
      };
      setImmediate(() => setImmediate(carryOut));
    },
  };
});

afterEach(() => void (writesLeft = Infinity));

function viewOf(image: Buffer): { view: DatabaseView; checksum: bigint } {
  const pageCount = image.length / PAGE_BYTES;
  const pageAt = (page: number): Buffer => image.subarray((page - 1) * PAGE_BYTES, page * PAGE_BYTES);
  let checksum = 0n;
  for (let page = 1; page <= pageCount; page++) checksum ^= hashPage(page, pageAt(page));
  const readRun = (first: number, count: number, into: Buffer): void => {
    image.copy(into, 0, (first - 1) * PAGE_BYTES, (first - 1 + count) * PAGE_BYTES);
  };
  return {
    view: { pageSizeBytes: PAGE_BYTES, pageCount, readRun } as unknown as DatabaseView,
    checksum,
  };
}

test("what is still being written is not overwritten by what is read next", async () => {
  const image = randomBytes(4.5 * 2 ** 20);
  const { view, checksum } = viewOf(image);
  const file = join(temporaryFolder(), "image");
  await writeSnapshot(view, file, `${file}.sums`, checksum);
  expect(readFileSync(file).equals(image)).toBe(true);
  const sums = readFileSync(`${file}.sums`);
  expect(sums.length).toBe(view.pageCount * 8);
  for (let page = 1; page <= view.pageCount; page++) {
    const hash = hashPage(page, image.subarray((page - 1) * PAGE_BYTES, page * PAGE_BYTES));
    expect(sums.readBigUInt64LE((page - 1) * 8)).toBe(hash);
  }
});

test.each([0, 3, 14])("a disk that is full at write %i is told of", async (writes) => {
  const { view, checksum } = viewOf(randomBytes(3 * 2 ** 20));
  const file = join(temporaryFolder(), "image");
  writesLeft = writes;
  await expect(writeSnapshot(view, file, `${file}.sums`, checksum)).rejects.toMatchObject({
    code: "storage_failed",
  });
});
