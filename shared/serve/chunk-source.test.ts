import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { segmentPath } from "../log/segment-files.ts";
import { ChunkSource } from "./chunk-source.ts";
import type { ChunkPlace } from "./chunk-source.ts";
import type { NodeHead } from "./engine.ts";

const CHUNK_BYTES = 1 << 20;
const CHUNKS = 8;

let folder: string;
let log: Buffer;
let head: NodeHead;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chunk-source-"));
  // Nothing that compresses.
  log = randomBytes(CHUNKS * CHUNK_BYTES);
  writeFileSync(segmentPath(folder, 1), log);
  head = {
    logId: "0".repeat(32),
    epoch: 1,
    pageSizeBytes: 4096,
    databaseChecksum: "0".repeat(16),
    txid: 1,
    commitTimeMs: null,
    start: { segment: 1, offset: 0 },
    end: { segment: 1, offset: log.length },
  };
});

afterEach(() => rmSync(folder, { recursive: true }));

function bytesOf(index: number): Buffer {
  return log.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES);
}

function place(chunks: ChunkSource, index: number): Promise<ChunkPlace> {
  return chunks.locate(head, { segment: 1, offset: index * CHUNK_BYTES }, CHUNK_BYTES);
}

test.each(["identity", "zstd", "gzip"] as const)(
  "a chunk (%s) is not touched while somebody holds it or may ask for it again, however many others come and go",
  async (encoding) => {
    const chunks = new ChunkSource(folder, { cacheBytes: 2 * CHUNK_BYTES, maxInFlightBytes: 64 << 20 });
    const slow = await chunks.hold(head, await place(chunks, 0), encoding);
    for (let round = 0; round < 4 * CHUNKS; round++) {
      const at = await place(chunks, 1 + (round % (CHUNKS - 1)));
      const { chunk, release } = await chunks.hold(head, at, encoding);
      const ahead = chunks.readAhead(head, at, CHUNK_BYTES, encoding);
      expect(chunk.body.equals(bytesOf(1 + (round % (CHUNKS - 1))))).toBe(true);
      expect(chunk.crc).toBe(crc32(chunk.body).toString(16).padStart(8, "0"));
      // Now and then it is released before what was read ahead is there.
      if (round % 2 === 0) await ahead;
      release();
      await ahead;
    }
    expect(slow.chunk.body.equals(bytesOf(0))).toBe(true);
    slow.release();
    expect(chunks.inFlightBytes).toBe(0);
  },
);

test("what nobody has asked for a while is let go, and what somebody asks for or holds is not", async () => {
  const chunks = new ChunkSource(folder, { cacheBytes: 64 << 20, maxInFlightBytes: 64 << 20 });
  const ask = async (index: number): Promise<void> => {
    const { chunk, release } = await chunks.hold(head, await place(chunks, index), "identity");
    expect(chunk.body.equals(bytesOf(index))).toBe(true);
    release();
  };
  const slow = await chunks.hold(head, await place(chunks, 0), "identity");
  for (const index of [1, 2, 3]) await ask(index);
  expect(chunks.cachedBytes).toBe(4 * CHUNK_BYTES);
  chunks.letGo();
  await ask(1);
  chunks.letGo();
  expect(chunks.cachedBytes).toBe(CHUNK_BYTES);
  expect(chunks.counts).toEqual({ hits: 1, misses: 4 });
  chunks.letGo();
  expect(chunks.cachedBytes).toBe(0);
  // What is read now goes into memory that is used again, but not into that of the one that is still held.
  for (const index of [4, 5, 6]) await ask(index);
  expect(slow.chunk.body.equals(bytesOf(0))).toBe(true);
  slow.release();
  expect(chunks.inFlightBytes).toBe(0);
});

test.each([1_000, CHUNK_BYTES])(
  "the memory of a chunk of %i bytes is free again as soon as it is let go and nobody holds it",
  async (lengthBytes) => {
    const chunks = new ChunkSource(folder, { cacheBytes: 64 << 20, maxInFlightBytes: 64 << 20 });
    const at = await chunks.locate(head, { segment: 1, offset: 0 }, lengthBytes);
    const { chunk, release } = await chunks.hold(head, at, "identity");
    for (let round = 0; round < 3; round++) chunks.letGo();
    expect(chunk.body.equals(log.subarray(0, lengthBytes))).toBe(true);
    release();
    chunks.letGo();
    expect(chunk.body.length).toBe(0);
  },
);

test("what is read ahead is there when it is asked for, and is held by nobody", async () => {
  const chunks = new ChunkSource(folder, { cacheBytes: 64 << 20, maxInFlightBytes: 64 << 20 });
  await chunks.readAhead(head, await place(chunks, 0), CHUNK_BYTES, "identity");
  expect(chunks.inFlightBytes).toBe(0);
  rmSync(segmentPath(folder, 1));
  const { chunk, release } = await chunks.hold(head, await place(chunks, 1), "identity");
  expect(chunk.body.equals(bytesOf(1))).toBe(true);
  release();
  await expect(chunks.hold(head, await place(chunks, 2), "identity")).rejects.toMatchObject({
    code: "segment_trimmed",
  });
});

test("what was read of one history is not given to who asks for another, which stands in the same place", async () => {
  const chunks = new ChunkSource(folder, { cacheBytes: 64 << 20, maxInFlightBytes: 64 << 20 });
  const read = async (index: number): Promise<Buffer> => {
    const { chunk, release } = await chunks.hold(head, await place(chunks, index), "identity");
    release();
    return chunk.body;
  };
  head = { ...head, end: { segment: 2, offset: 0 } };
  for (const index of [0, CHUNKS - 1]) expect((await read(index)).equals(bytesOf(index))).toBe(true);
  // As after a resync to a primary that has begun anew: the segments have the same numbers.
  log = randomBytes(log.length - 1);
  writeFileSync(segmentPath(folder, 1), log);
  head = { ...head, logId: "1".repeat(32) };
  for (const index of [0, CHUNKS - 1]) expect((await read(index)).equals(bytesOf(index))).toBe(true);
});
