import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { History } from "../../test/harness/history.ts";
import { TailraceError } from "../errors.ts";
import type { Cursor } from "../units.ts";
import { FragmentReader } from "./fragment-reader.ts";
import { LogCopy } from "./log-copy.ts";
import { LogWriter } from "./log-writer.ts";
import { listSegments, segmentPath } from "./segment-files.ts";

/** Of a descriptor; the one that the list of them was read by is gone. */
function readlink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

let root: string;
let source: string;
let folder: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tailrace-copy-"));
  source = join(root, "source");
  folder = join(root, "copy");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A log of several segments. @returns its end */
function writeSource(transactions = 12): Cursor {
  const history = new History();
  const { log } = LogWriter.open({
    folder: source,
    logId: "0".repeat(32),
    epoch: 1,
    pageSizeBytes: 512,
    segmentSizeBytes: 2500,
    durability: "os",
    clock: () => 0,
    initial: history.initial,
  });
  for (let i = 0; i < transactions; i++)
    for (const fragment of history.record({ fragments: 1 + (i % 3) })) log.append(fragment);
  const { end } = log;
  log.close();
  return end;
}

/** One chunk, as GET /wal would answer. */
function fetchChunk(cursor: Cursor, end: Cursor, maxBytes: number): { bytes: Buffer; next: Cursor } {
  const segment = readFileSync(segmentPath(source, cursor.segment));
  const bytes = segment.subarray(cursor.offset, cursor.offset + maxBytes);
  const offset = cursor.offset + bytes.length;
  const isPast = offset === segment.length && cursor.segment < end.segment;
  return {
    bytes,
    next: isPast ? { segment: cursor.segment + 1, offset: 0 } : { segment: cursor.segment, offset },
  };
}

function follow(copy: LogCopy, end: Cursor, maxBytes = 700): void {
  const sourceBytes = listSegments(source).reduce(
    (sum, segment) => sum + statSync(segmentPath(source, segment)).size,
    0,
  );
  for (let rounds = 0; rounds <= sourceBytes; rounds++) {
    if (copy.end.segment === end.segment && copy.end.offset === end.offset) return;
    const { bytes, next } = fetchChunk(copy.end, end, maxBytes);
    copy.append(copy.end, bytes, next);
  }
  throw new Error("the copy does not arrive");
}

function expectIdentical(from = 1): void {
  for (const segment of listSegments(source).filter((candidate) => candidate >= from))
    expect(
      readFileSync(segmentPath(folder, segment)).equals(readFileSync(segmentPath(source, segment))),
    ).toBe(true);
}

describe("a copy of the log", () => {
  test("is byte-identical, however the chunks fall", () => {
    const end = writeSource();
    fc.assert(
      fc.property(fc.integer({ min: 16, max: 3000 }), fc.boolean(), (maxBytes, isReopened) => {
        rmSync(folder, { recursive: true, force: true });
        let copy = LogCopy.open({ folder });
        expect(copy.end).toEqual({ segment: 1, offset: 0 });
        const { bytes, next } = fetchChunk(copy.end, end, maxBytes);
        copy.append(copy.end, bytes, next);
        if (isReopened) {
          copy.close();
          copy = LogCopy.open({ folder });
          expect(copy.end).toEqual(next);
        }
        follow(copy, end, maxBytes);
        copy.sync();
        copy.close();
        expectIdentical();
      }),
      { numRuns: 25 },
    );
  });

  test("can begin within a segment, and its fragments are read from there", () => {
    const end = writeSource();
    const reader = new FragmentReader({ folder: source, start: { segment: 1, offset: 0 }, end: () => end });
    reader.next();
    const start = reader.next()!.end;
    reader.close();
    const copy = LogCopy.open({ folder, start });
    expect(copy.start).toEqual(start);
    expect(copy.end).toEqual(start);
    follow(copy, end);
    copy.sync();
    expect(statSync(segmentPath(folder, 1)).size).toBe(statSync(segmentPath(source, 1)).size);
    expect(copy.lastWholeFragment(start)).toEqual(end);
    copy.close();
    const again = LogCopy.open({ folder, start: { segment: 99, offset: 0 } });
    expect(again.start).toEqual(start);
    expect(again.end).toEqual(end);
    again.close();
  });

  test("refuses a chunk that is not the next one", () => {
    const end = writeSource();
    const copy = LogCopy.open({ folder });
    const { bytes, next } = fetchChunk(copy.end, end, 100);
    expect(() => copy.append({ segment: 1, offset: 1 }, bytes, next)).toThrow("a chunk continues the copy");
    expect(() => copy.append(copy.end, bytes, { segment: 1, offset: 99 })).toThrow("leads to its own end");
    expect(() => copy.append(copy.end, bytes, { segment: 3, offset: 0 })).toThrow("leads to its own end");
    expect(copy.end).toEqual({ segment: 1, offset: 0 });
    copy.close();
  });

  test("is cut at any place, and goes on from there", () => {
    const end = writeSource();
    const copy = LogCopy.open({ folder });
    follow(copy, end);
    for (const to of [
      { segment: end.segment, offset: 80 },
      { segment: 2, offset: 333 },
      { segment: 2, offset: 0 },
    ]) {
      copy.truncate(to);
      expect(copy.end).toEqual(to);
      expect(listSegments(folder).at(-1)).toBe(to.segment);
      follow(copy, end);
      expectIdentical();
    }
    expect(() => copy.truncate({ segment: 99, offset: 0 })).toThrow("within its bounds");
    copy.close();
  });

  test("is shortened from the front", () => {
    const end = writeSource();
    const copy = LogCopy.open({ folder });
    follow(copy, end);
    copy.dropBefore(3);
    expect(copy.start).toEqual({ segment: 3, offset: 0 });
    expect(listSegments(folder)[0]).toBe(3);
    copy.dropBefore(99);
    expect(listSegments(folder)).toEqual([end.segment]);
    expect(copy.end).toEqual(end);
    copy.close();
    const again = LogCopy.open({ folder });
    expect(again.start).toEqual({ segment: end.segment, offset: 0 });
    again.close();
  });

  test("is begun anew", () => {
    const end = writeSource();
    const copy = LogCopy.open({ folder });
    follow(copy, end);
    const start = { segment: 2, offset: 80 };
    copy.reset(start);
    expect(copy.start).toEqual(start);
    expect(copy.end).toEqual(start);
    expect(listSegments(folder)).toEqual([2]);
    follow(copy, end);
    expect(copy.lastWholeFragment(start)).toEqual(end);
    copy.close();
  });
});

describe("after a crash", () => {
  test("a removal that was interrupted is completed", () => {
    const end = writeSource();
    const copy = LogCopy.open({ folder });
    follow(copy, end);
    copy.close();
    writeFileSync(join(folder, "start.json"), '{"formatVersion":1,"segment":3,"offset":0}');
    const again = LogCopy.open({ folder });
    expect(again.start).toEqual({ segment: 3, offset: 0 });
    expect(listSegments(folder)[0]).toBe(3);
    again.close();
  });

  test("a reset that was interrupted leaves an empty copy, never a mixture", () => {
    const end = writeSource();
    const copy = LogCopy.open({ folder });
    follow(copy, end);
    copy.close();
    rmSync(join(folder, "start.json"));
    const start = { segment: 7, offset: 80 };
    const again = LogCopy.open({ folder, start });
    expect(again.end).toEqual(start);
    expect(listSegments(folder)).toEqual([7]);
    again.close();
  });

  test("what was lost or mangled past the last sync is found: cut there, the copy is sound again", () => {
    const end = writeSource();
    const whole = new FragmentReader({ folder: source, start: { segment: 1, offset: 0 }, end: () => end });
    const borders: Cursor[] = [{ segment: 1, offset: 80 }];
    for (let placed = whole.next(); placed !== undefined; placed = whole.next()) borders.push(placed.end);
    whole.close();
    const last = listSegments(source).at(-2)!;
    const sizeBytes = statSync(segmentPath(source, last)).size;
    const inLast = borders.filter(({ segment }) => segment === last);
    for (let size = 81; size < sizeBytes; size += 13) {
      rmSync(folder, { recursive: true, force: true });
      const copy = LogCopy.open({ folder });
      follow(copy, end);
      copy.close();
      const path = segmentPath(folder, last);
      const isCut = size % 2 === 0;
      if (isCut) truncateSync(path, size);
      else {
        const bytes = readFileSync(path);
        bytes[size]! ^= 0x10;
        writeFileSync(path, bytes);
      }
      const again = LogCopy.open({ folder });
      const sound = again.lastWholeFragment({ segment: 1, offset: 0 });
      const expected = inLast.filter(({ offset }) => offset <= size).at(-1) ?? { segment: last, offset: 80 };
      expect(sound).toEqual(expected);
      again.truncate(sound);
      follow(again, end);
      again.close();
      expectIdentical();
    }
  });

  test("a segment that lost its end exactly at a border between records is found", () => {
    const end = writeSource();
    const copy = LogCopy.open({ folder });
    follow(copy, end);
    const reader = new FragmentReader({ folder, start: { segment: 2, offset: 0 }, end: () => end });
    let border = reader.next()!.end;
    for (let placed = reader.next()!; placed.end.segment === 2; placed = reader.next()!)
      if (placed.fragment.fragmentIndex === 0) border = placed.start;
    reader.close();
    truncateSync(segmentPath(folder, 2), border.offset);
    expect(copy.lastWholeFragment({ segment: 1, offset: 0 })).toEqual(border);
    copy.close();
  });

  test("a segment is not closed while another thread syncs it", async () => {
    const copy = LogCopy.open({ folder });
    const openFiles = (): string[] =>
      readdirSync("/proc/self/fd")
        .map((name) => readlink(`/proc/self/fd/${name}`))
        .filter((path) => path.startsWith(folder));
    copy.append({ segment: 1, offset: 0 }, Buffer.alloc(100), { segment: 2, offset: 0 });
    expect(copy.unsyncedBytes).toBe(100);
    const ahead = copy.syncAhead();
    copy.sync();
    expect(copy.unsyncedBytes).toBe(0);
    expect(openFiles()).toEqual([segmentPath(folder, 1), segmentPath(folder, 2)]);
    await ahead;
    expect(openFiles()).toEqual([segmentPath(folder, 2)]);
    const last = copy.syncAhead();
    copy.close();
    await last;
    expect(openFiles()).toEqual([]);
  });

  test("zeros and rubbish after the last chunk are cut", () => {
    const end = writeSource();
    const copy = LogCopy.open({ folder });
    follow(copy, end);
    copy.close();
    appendFileSync(segmentPath(folder, end.segment), Buffer.alloc(4096));
    const again = LogCopy.open({ folder });
    expect(again.lastWholeFragment({ segment: 1, offset: 0 })).toEqual(end);
    again.close();
  });

  test("a beginning that cannot be read just now is not taken for damage: nothing would be left of the copy", () => {
    LogCopy.open({ folder }).close();
    const start = join(folder, "start.json");
    rmSync(start);
    mkdirSync(start);
    const refused = { code: "storage_failed", message: expect.stringContaining(start) };
    expect(() => LogCopy.open({ folder })).toThrow(expect.objectContaining(refused));
  });

  test("a missing segment is damage with its place", () => {
    const end = writeSource();
    const copy = LogCopy.open({ folder });
    follow(copy, end);
    copy.close();
    rmSync(segmentPath(folder, 2));
    expect(() => LogCopy.open({ folder })).toThrow(
      "log segment 2 is damaged at offset 0: the file is missing",
    );
    writeFileSync(join(folder, "start.json"), "{");
    expect(() => LogCopy.open({ folder })).toThrow(TailraceError);
  });
});
