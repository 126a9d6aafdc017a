import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hashPage } from "../format/page-hash.ts";
import { encodePageTableHeader } from "./page-table-header.ts";
import { PageTable } from "./page-table.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tailrace-table-"));
  path = join(folder, "pages.sum");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const MARK = { txid: 7, cursor: { segment: 3, offset: 1234 } };

/** A hash as good as any: nothing here depends on what was hashed. */
function hashOf(page: number, version = 0): bigint {
  return hashPage(page, Buffer.from(`version ${version}`));
}

function xorOf(hashes: Iterable<bigint>): bigint {
  let xor = 0n;
  for (const hash of hashes) xor ^= hash;
  return xor;
}

/** What the log would say happened after the mark: the same calls again, from the mark on. */
function replay(table: PageTable): void {
  for (let page = 1; page <= 3000; page += 2) table.set(page, hashOf(page, 1));
  table.resize(1500);
  for (let page = 1400; page <= 4000; page++) table.set(page, hashOf(page, 2));
  table.resize(4000);
}

/** What the log would say happened after a mark at 600 pages. */
function grow(table: PageTable): void {
  for (let page = 601; page <= 3000; page++) table.set(page, hashOf(page));
  table.resize(3000);
}

/** The table as a crash now would leave it: what is in the file, nothing of what is in memory. */
function openAsAfterCrash(cacheBlocks?: number): PageTable | undefined {
  const copy = join(folder, "after-crash.sum");
  copyFileSync(path, copy);
  return PageTable.open(copy, cacheBlocks === undefined ? {} : { cacheBlocks });
}

describe("the table", () => {
  test("keeps what was flushed, with the state that it stands for", () => {
    const table = PageTable.create(path);
    for (let page = 1; page <= 1000; page++) table.set(page, hashOf(page));
    table.resize(1000);
    const { checksum } = table;
    table.flush(MARK);
    table.close();

    const again = PageTable.open(path)!;
    expect(again.pageCount).toBe(1000);
    expect(again.checksum).toBe(checksum);
    expect(again.mark).toEqual({ ...MARK, pageCount: 1000, checksum });
    expect(again.get(1)).toBe(hashOf(1));
    expect(again.get(1000)).toBe(hashOf(1000));
    expect(again.get(1001)).toBe(0n);
    again.close();
  });

  test("knows the XOR of its entries at any time, however the entries come and go", () => {
    const table = PageTable.create(path);
    const pages = [1, 2, 511, 512, 513, 1024, 1025, 5000];
    for (const page of pages) table.set(page, hashOf(page));
    expect(table.checksum).toBe(xorOf(pages.map((page) => hashOf(page))));
    table.set(513, hashOf(513, 1));
    table.set(2, 0n);
    expect(table.checksum).toBe(
      xorOf([1, 511, 512, 1024, 1025, 5000].map((page) => hashOf(page))) ^ hashOf(513, 1),
    );
    expect(table.recompute()).toBe(table.checksum);
    table.close();
  });

  test("forgets the pages beyond a smaller size, also those set beyond the size of before", () => {
    const table = PageTable.create(path);
    for (let page = 1; page <= 600; page++) table.set(page, hashOf(page));
    table.resize(600);
    table.set(2000, hashOf(2000));
    table.resize(513);
    expect(table.checksum).toBe(xorOf(Array.from({ length: 513 }, (_, index) => hashOf(index + 1))));
    expect([513, 514, 600, 2000].map((page) => table.get(page))).toEqual([hashOf(513), 0n, 0n, 0n]);
    table.resize(3000);
    expect([514, 600, 2000, 3000].map((page) => table.get(page))).toEqual([0n, 0n, 0n, 0n]);
    expect(table.recompute()).toBe(table.checksum);
    table.close();
  });

  test("of an empty database has the checksum 0, and survives being flushed", () => {
    PageTable.create(path).flush(MARK);
    const table = PageTable.open(path)!;
    expect([table.pageCount, table.checksum, table.recompute()]).toEqual([0, 0n, 0n]);
    table.close();
  });

  test("does any sequence of operations as a plain array of hashes would, with a cache of any size", () => {
    const page = fc.integer({ min: 1, max: 6000 });
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ set: page, version: fc.nat(100) }) },
      { weight: 2, arbitrary: fc.record({ resize: fc.integer({ min: 0, max: 6000 }) }) },
      { weight: 1, arbitrary: fc.constant({ flush: true }) },
      { weight: 1, arbitrary: fc.constant({ reopen: true }) },
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.integer({ min: 1, max: 4 }),
        (steps, cacheBlocks) => {
          let table = PageTable.create(path, { cacheBlocks });
          const model = new Map<number, bigint>();
          for (const operation of steps) {
            if ("set" in operation) {
              table.set(operation.set, hashOf(operation.set, operation.version));
              model.set(operation.set, hashOf(operation.set, operation.version));
            } else if ("resize" in operation) {
              table.resize(operation.resize);
              for (const known of model.keys()) if (known > operation.resize) model.delete(known);
            } else {
              const size = Math.max(0, ...model.keys());
              table.resize(size);
              table.flush(MARK);
              if ("reopen" in operation) {
                table.close();
                table = PageTable.open(path, { cacheBlocks })!;
              }
            }
            expect(table.checksum).toBe(xorOf(model.values()));
          }
          for (let p = 1; p <= 6000; p += 7) expect(table.get(p)).toBe(model.get(p) ?? 0n);
          for (const [p, hash] of model) expect(table.get(p)).toBe(hash);
          expect(table.recompute()).toBe(table.checksum);
          table.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("memory", () => {
  test("stays at the stated number of blocks while a million pages are set", () => {
    const table = PageTable.create(path, { cacheBlocks: 8 });
    for (let page = 1; page <= 1_000_000; page++) table.set(page, BigInt(page));
    table.resize(1_000_000);
    expect(table.recompute()).toBe(table.checksum);
    // All but the last blocks had to leave memory, and stand in the file before any flush.
    expect(statSync(path).size).toBeGreaterThan(1_000_000 * 8 - 8 * 4096);
    expect(table.get(1)).toBe(1n);
    expect(table.get(999_999)).toBe(999_999n);
    table.close();
  });
});

describe("after a crash", () => {
  test.each([1, 2, 5, 4096])(
    "between flushes, replaying the log from the mark gives the table again (cache of %i blocks)",
    (cacheBlocks) => {
      const table = PageTable.create(path, { cacheBlocks });
      for (let page = 1; page <= 3000; page++) table.set(page, hashOf(page));
      table.resize(3000);
      table.flush(MARK);
      replay(table);
      const { checksum } = table;

      const recovered = openAsAfterCrash(cacheBlocks)!;
      expect(recovered.mark).toMatchObject(MARK);
      expect(recovered.pageCount).toBe(3000);
      replay(recovered);
      expect(recovered.checksum).toBe(checksum);
      expect(recovered.recompute()).toBe(checksum);
      for (let page = 1; page <= 4001; page++) expect(recovered.get(page)).toBe(table.get(page));
      recovered.close();
      table.close();
    },
  );

  test("entries of pages that the database had not yet at the mark do not count before the replay sets them", () => {
    const table = PageTable.create(path, { cacheBlocks: 1 });
    for (let page = 1; page <= 600; page++) table.set(page, hashOf(page));
    table.resize(600);
    table.flush(MARK);
    grow(table);
    const recovered = openAsAfterCrash()!;
    expect(recovered.checksum).toBe(recovered.mark.checksum);
    expect(recovered.get(601)).toBe(0n);
    grow(recovered);
    expect(recovered.checksum).toBe(table.checksum);
    recovered.close();
    table.close();
  });

  test("a process killed between the entries and the header of a flush leaves the mark of before", () => {
    const script = `
      const { PageTable } = await import(${JSON.stringify(join(import.meta.dirname, "page-table.ts"))});
      const table = PageTable.create(${JSON.stringify(path)});
      for (let page = 1; page <= 3000; page++) table.set(page, BigInt(page));
      table.resize(3000);
      table.flush({ txid: 1, cursor: { segment: 1, offset: 100 } });
      for (let page = 1; page <= 2000; page++) table.set(page, BigInt(page) << 32n);
      table.resize(2500);
      table.flush({ txid: 2, cursor: { segment: 1, offset: 200 } });`;
    const { signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      env: { ...process.env, TAILRACE_FAILPOINT: "pages.entries-written:2" },
      encoding: "utf8",
    });
    expect(signal, stderr).toBe("SIGKILL");
    const recovered = PageTable.open(path)!;
    expect(recovered.mark).toMatchObject({ txid: 1, pageCount: 3000 });
    for (let page = 1; page <= 2000; page++) recovered.set(page, BigInt(page) << 32n);
    recovered.resize(2500);
    const hashes = Array.from({ length: 2500 }, (_, index) => BigInt(index + 1) << (index < 2000 ? 32n : 0n));
    expect(recovered.checksum).toBe(xorOf(hashes));
    recovered.close();
  });

  test("in the middle of a flush, entries ahead of the header are set right by the replay", () => {
    const table = PageTable.create(path);
    for (let page = 1; page <= 3000; page++) table.set(page, hashOf(page));
    table.resize(3000);
    table.flush(MARK);
    const headerOfBefore = readFileSync(path).subarray(0, 4096);
    replay(table);
    const { checksum } = table;
    table.flush({ txid: 9, cursor: { segment: 3, offset: 9999 } });
    table.close();
    // Every entry reached the disk, the header did not.
    writeFileSync(path, Buffer.concat([headerOfBefore, readFileSync(path).subarray(4096)]));

    const recovered = PageTable.open(path)!;
    expect(recovered.mark).toMatchObject(MARK);
    replay(recovered);
    expect(recovered.checksum).toBe(checksum);
    recovered.close();
  });

  test("entries that never reached the disk show in the checksum", () => {
    const table = PageTable.create(path);
    for (let page = 1; page <= 3000; page++) table.set(page, hashOf(page));
    table.resize(3000);
    table.flush(MARK);
    const { checksum } = table;
    table.close();
    truncateSync(path, 4096 + 1024 * 8);
    const recovered = PageTable.open(path)!;
    expect(recovered.mark.checksum).toBe(checksum);
    expect(recovered.checksum).not.toBe(checksum);
    recovered.close();
  });

  test("a table that was never flushed does not exist", () => {
    const table = PageTable.create(path, { cacheBlocks: 1 });
    for (let page = 1; page <= 3000; page++) table.set(page, hashOf(page));
    table.resize(1000);
    expect(openAsAfterCrash()).toBeUndefined();
    table.close();
  });
});

test("the header's bytes are frozen", () => {
  const header = encodePageTableHeader({
    txid: 0x0102030405,
    cursor: { segment: 0x0a0b, offset: 0x0c0d0e },
    pageCount: 0x11121314,
    checksum: 0x2122232425262728n,
  });
  expect(header.toString("hex")).toBe(
    "54525041474553000100000014131211" +
      "05040302010000000b0a0000000000000e0d0c00000000002827262524232221" +
      "000000000000000000000000dc2d9913",
  );
});

describe("what is no table", () => {
  test.each([
    ["no file", undefined],
    ["an empty file", Buffer.alloc(0)],
    ["a file of zeros", Buffer.alloc(8192)],
    ["other text", Buffer.from("SQLite format 3\0".repeat(300))],
  ])("%s is not opened", (_name, bytes) => {
    if (bytes !== undefined) writeFileSync(path, bytes);
    expect(PageTable.open(path)).toBeUndefined();
  });

  test("every cut and every flipped bit of the header is seen, and the file left as it is", () => {
    const table = PageTable.create(path);
    table.set(1, 5n);
    table.resize(1);
    table.flush(MARK);
    table.close();
    const whole = readFileSync(path);
    for (let size = 0; size < 64; size++) {
      writeFileSync(path, whole.subarray(0, size));
      expect(PageTable.open(path), `cut to ${size} bytes`).toBeUndefined();
    }
    for (let bit = 0; bit < 64 * 8; bit++) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(path, damaged);
      expect(PageTable.open(path), `bit ${bit}`).toBeUndefined();
      expect(readFileSync(path).equals(damaged)).toBe(true);
    }
  });

  test.each([
    ["a transaction that memory could not hold exactly", { txid: 2 ** 53 }],
    ["a place that it could not hold", { cursor: { segment: 1, offset: 2 ** 63 } }],
  ])("a header with %s is none, although its checksum is right", (_what, change) => {
    const mark = { txid: 1, cursor: { segment: 1, offset: 80 }, pageCount: 0, checksum: 0n, ...change };
    writeFileSync(path, encodePageTableHeader(mark));
    expect(PageTable.open(path)).toBeUndefined();
  });

  test("a header that says four billion pages makes the file no longer", () => {
    const mark = { txid: 1, cursor: { segment: 1, offset: 80 }, pageCount: 0xffffffff, checksum: 7n };
    writeFileSync(path, encodePageTableHeader(mark));
    const table = PageTable.open(path)!;
    expect(table.checksum).toBe(0n);
    table.close();
    expect(readFileSync(path).length).toBeLessThan(8192);
  });

  test("every flipped bit of an entry shows in the checksum", () => {
    const table = PageTable.create(path);
    for (let page = 1; page <= 3; page++) table.set(page, hashOf(page));
    table.resize(3);
    table.flush(MARK);
    table.close();
    const whole = readFileSync(path);
    for (let bit = 4096 * 8; bit < (4096 + 24) * 8; bit++) {
      const damaged = Buffer.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(path, damaged);
      const opened = PageTable.open(path)!;
      expect(opened.checksum, `bit ${bit}`).not.toBe(opened.mark.checksum);
      opened.close();
    }
  });

  test("every bit that flips in the file while the table is open is refused where it would be used, and changes no checksum", () => {
    const table = PageTable.create(path, { cacheBlocks: 1 });
    for (let page = 1; page <= 1500; page++) table.set(page, hashOf(page));
    table.resize(1500);
    table.flush(MARK);
    const checksum = xorOf(Array.from({ length: 1500 }, (_, index) => hashOf(index + 1)));
    const whole = readFileSync(path);
    // The third block is in the cache; the second is read again each time that the first was.
    for (const bit of [0, 63, 64, 512 * 64 - 1].map((inBlock) => (4096 + 4096) * 8 + inBlock)) {
      table.get(1);
      const damaged = Buffer.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      writeFileSync(path, damaged);
      for (const use of [
        () => table.get(513),
        () => table.set(1024, hashOf(1024, 1)),
        () => table.checksumAt(1000),
        () => table.resize(1000),
        () => table.recompute(),
      ])
        expect(use).toThrow(
          expect.objectContaining({
            code: "damaged",
            message: `${path}: the hashes of pages 513 to 1024 are not those that were written`,
          }),
        );
      writeFileSync(path, whole);
      expect([table.checksum, table.recompute(), table.get(513)]).toEqual([checksum, checksum, hashOf(513)]);
    }
    table.close();
  });
});
