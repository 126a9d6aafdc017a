import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Field } from "../engine/byte-steps.ts";
import { byteTarget } from "../engine/byte-target.ts";
import { must } from "../engine/target.ts";
import type { Outcome, Target } from "../engine/target.ts";
import { BrokenWalError, WalTail } from "../../../primary/wal-tail.ts";
import {
  HEADER_COPY_BYTES,
  WalIndexBlock,
  decodeWalIndexHeader,
  encodeWalIndexHeader,
  framesBefore,
} from "../../../shared/format/wal-index.ts";
import { alignedBuffer, decodeWalHeader, encodeWalHeader } from "../../../shared/format/wal.ts";
import { WalFrames } from "../../../shared/pages/wal-frames.ts";
import { WalIndexFile } from "../../../shared/sqlite/wal-index-file.ts";
import { inspectDatabaseFile } from "../../../shared/storage/database-file.ts";
import { shifted } from "./layouts.ts";
import {
  INDEX_BYTES,
  PAGE_BYTES,
  indexHeaderFields,
  realWal,
  walFields,
  walHeaderFields,
} from "./real-wal.ts";
import { readWal, sealWal, sealWalIndex } from "./wal-model.ts";

const HEADERS_BYTES = 2 * HEADER_COPY_BYTES;
const HASH_FIELDS: readonly Field[] = [0, 1, 2, 3, 100, 383, 766, 4096, 8191].map((slot) => ({
  at: 16_384 + slot * 2,
  bytes: 2,
}));
const PAGE_FIELDS: readonly Field[] = [136, 140, 144, 148, 16_380].map((at) => ({ at, bytes: 4 }));

/** SQLite's own files, as they are read beside SQLite. */
export const sqliteTargets: readonly Target[] = [
  byteTarget({
    name: "wal-header",
    open: (folder) => ({
      seeds: [realWal(folder, 1).wal.subarray(0, 32)],
      fields: () => walHeaderFields,
      seal: (bytes) => sealWal(bytes, PAGE_BYTES),
      run: (bytes) => {
        const header = decodeWalHeader(bytes);
        const model = readWal(bytes.subarray(0, 32));
        must((header === undefined) === (model === undefined), "another verdict than the documentation's");
        if (header === undefined) return "refused";
        must(header.pageSizeBytes === model?.pageSizeBytes, "another page size");
        const again = header.isBigEndianChecksum ? bytes : encodeWalHeader(header);
        must(
          again.equals(bytes.subarray(0, 32)) || header.isBigEndianChecksum,
          "another header than the bytes say",
        );
        return "accepted";
      },
    }),
  }),
  byteTarget({
    name: "wal-index-header",
    open: (folder) => ({
      seeds: [realWal(folder, 1).index.subarray(0, HEADERS_BYTES), Buffer.alloc(HEADERS_BYTES)],
      fields: () =>
        [...indexHeaderFields, ...shifted(indexHeaderFields, HEADER_COPY_BYTES)].filter(({ at }) => at < 96),
      seal: sealWalIndex,
      run: runIndexHeader,
    }),
  }),
  byteTarget({
    name: "wal-index-block",
    shortRun: 50,
    open: (folder) => ({
      seeds: [realWal(folder, 40).index, fullBlock()],
      fields: () => [...HASH_FIELDS, ...PAGE_FIELDS],
      run: runBlock,
    }),
  }),
  byteTarget({
    name: "wal-tail",
    shortRun: 60,
    open: (folder) => {
      const path = join(folder, "fuzzed-wal");
      return {
        seeds: [1, 4].map((commits) => joined(realWal(folder, commits), HEADERS_BYTES)),
        fields: (bytes) => [...indexHeaderFields.slice(0, 9), ...shifted(walFields(bytes.subarray(96)), 96)],
        seal: (bytes) => {
          sealWal(bytes.subarray(HEADERS_BYTES), PAGE_BYTES);
          sealWalIndex(bytes);
        },
        run: (bytes) => runTail(path, bytes),
      };
    },
  }),
  byteTarget({
    name: "wal-frames",
    shortRun: 50,
    open: (folder) => {
      const [walFile, indexFile] = [join(folder, "fuzzed-wal"), join(folder, "fuzzed-shm")];
      writeFileSync(indexFile, "");
      const index = new WalIndexFile(openSync(indexFile, "r"));
      return {
        seeds: [1, 4].map((commits) => joined(realWal(folder, commits), INDEX_BYTES)),
        fields: (bytes) => [
          ...indexHeaderFields,
          ...HASH_FIELDS,
          ...PAGE_FIELDS,
          ...shifted(walFields(bytes.subarray(INDEX_BYTES)), INDEX_BYTES),
        ],
        seal: sealWalIndex,
        run: (bytes) => {
          writeFileSync(walFile, bytes.subarray(INDEX_BYTES));
          writeFileSync(indexFile, bytes.subarray(0, INDEX_BYTES));
          return runFrames(walFile, index, bytes);
        },
      };
    },
  }),
  byteTarget({
    name: "database-header",
    open: (folder) => {
      const file = join(folder, "header.db");
      return {
        seeds: [databaseHeader(4096, 2), databaseHeader(1, 1), Buffer.alloc(0)],
        fields: () => [
          { at: 16, bytes: 2, isBigEndian: true },
          ...[18, 19, 20, 21, 22, 23].map((at): Field => ({ at, bytes: 1 })),
        ],
        run: (bytes) => {
          writeFileSync(file, bytes);
          const found = inspectDatabaseFile(file);
          if (found.kind !== "database") {
            must(found.kind === "empty" && bytes.length === 0, "bytes are taken for no database");
            return "accepted";
          }
          const size = bytes.readUInt16BE(16);
          must(bytes.toString("latin1", 0, 16) === "SQLite format 3\0", "taken for a database");
          must(found.pageSizeBytes === (size === 1 ? 65_536 : size), "another page size");
          must(
            (found.pageSizeBytes & (found.pageSizeBytes - 1)) === 0 && size !== 0,
            "no page size of SQLite",
          );
          return "accepted";
        },
      };
    },
  }),
];

function runIndexHeader(bytes: Buffer): Outcome {
  const header = decodeWalIndexHeader(bytes);
  if (header === undefined) return "refused";
  const again = encodeWalIndexHeader(header);
  // Four bytes that SQLite has no use for.
  bytes.copy(again, 4, 4, 8);
  sealWalIndex(Buffer.concat([again, again]));
  const size = header.pageSizeBytes;
  must(size === 0 || (size >= 512 && (size & (size - 1)) === 0), `${size} is no page size of SQLite`);
  must(again.subarray(8, 40).equals(bytes.subarray(8, 40)), "another header than the bytes say");
  return "accepted";
}

/** Every entry of it used: where one more finds no room. */
function fullBlock(): Buffer {
  const block = Buffer.alloc(INDEX_BYTES, 1);
  for (let slot = 0; slot < 8192; slot++) block.writeUInt16LE((slot % 4000) + 1, 16_384 + slot * 2);
  return block;
}

function runBlock(given: Buffer): Outcome {
  const bytes = alignedBuffer(INDEX_BYTES);
  given.copy(bytes);
  const number = given.length % 2;
  const block = new WalIndexBlock(number, bytes);
  const last = framesBefore(number) + 4000;
  for (let page = 0; page < 20; page++) {
    const frame = block.find(page * 7, last);
    must(frame >= 0 && frame <= last, `frame ${frame} of page ${page * 7}`);
    if (frame > 0) must(block.pageNumberAt(frame) === page * 7, `frame ${frame} is of another page`);
  }
  block.truncate(last);
  for (let page = 1; page <= 10; page++) {
    block.insert(last + page, page);
    must(block.find(page, last + page) === last + page, `page ${page} is not found where it was entered`);
  }
  return "accepted";
}

function joined(
  { wal, index }: { readonly wal: Buffer; readonly index: Buffer },
  indexBytes: number,
): Buffer {
  return Buffer.concat([index.subarray(0, indexBytes), wal]);
}

function runTail(path: string, bytes: Buffer): Outcome {
  const header = decodeWalIndexHeader(bytes);
  if (header === undefined) return "refused";
  const wal = bytes.subarray(HEADERS_BYTES);
  writeFileSync(path, wal);
  const start = { frame: 0, salts: header.salts, checksum: "0".repeat(16) };
  const tail = new WalTail(path, PAGE_BYTES, start);
  const frames: { page: number; image: Buffer; databasePages: number }[] = [];
  try {
    tail.restartWithin(header);
    const sink = {
      frame: (page: number, image: Buffer) =>
        void frames.push({ page, image: Buffer.from(image), databasePages: 0 }),
      commit: (databasePages: number) => void (frames.at(-1)!.databasePages = databasePages),
    };
    for (let reads = 0; !tail.read(header, sink, 2000); reads++)
      must(reads < 1000, "does not get to the end");
  } catch (error) {
    if (error instanceof BrokenWalError) return "refused";
    throw error;
  } finally {
    tail.close();
  }
  const model = readWal(wal)?.frames ?? [];
  must(
    frames.length === header.mxFrame && frames.length <= model.length,
    `${frames.length} frames, ${model.length} sound`,
  );
  frames.forEach(({ page, image, databasePages }, index) => {
    const expected = model[index]!;
    must(page === expected.page && databasePages === expected.databasePages, `frame ${index + 1} is another`);
    must(image.equals(expected.image), `frame ${index + 1} has another image`);
  });
  return "accepted";
}

function runFrames(walFile: string, index: WalIndexFile, bytes: Buffer): Outcome {
  const header = decodeWalIndexHeader(bytes);
  if (header?.pageSizeBytes !== PAGE_BYTES) return "refused";
  const frames = new WalFrames(walFile, index, header);
  const untouched = Buffer.alloc(PAGE_BYTES, 0xaa);
  try {
    for (let page = 1; page < 12; page++) {
      const image = Buffer.from(untouched);
      frames.patchRun(page, 1, image);
      must(
        image.equals(untouched) || isInWal(bytes.subarray(INDEX_BYTES), page, header.salts, image),
        `page ${page} is made up`,
      );
    }
  } finally {
    frames.close();
  }
  return "accepted";
}

function isInWal(wal: Buffer, page: number, salts: string, image: Buffer): boolean {
  for (let at = 32; at + 24 + PAGE_BYTES <= wal.length; at += 24 + PAGE_BYTES) {
    const isOf = wal.readUInt32BE(at) === page && wal.toString("hex", at + 8, at + 16) === salts;
    if (isOf && wal.subarray(at + 24, at + 24 + PAGE_BYTES).equals(image)) return true;
  }
  return false;
}

function databaseHeader(pageSize: number, version: number): Buffer {
  const bytes = Buffer.alloc(120);
  bytes.write("SQLite format 3\0", "latin1");
  bytes.writeUInt16BE(pageSize, 16);
  bytes.set([version, version, 0, 64, 32, 32], 18);
  return bytes;
}
