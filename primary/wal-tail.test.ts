import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { WalMark } from "../shared/format/record.ts";
import { decodeWalIndexHeader } from "../shared/format/wal-index.ts";
import type { WalIndexHeader } from "../shared/format/wal-index.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { BrokenWalError, WalTail } from "./wal-tail.ts";
import type { FrameSink } from "./wal-tail.ts";

const EMPTY: WalMark = { frame: 0, salts: "0".repeat(16), checksum: "0".repeat(16) };

/** A WAL of three commits, and the wal-index header that publishes them; both copies of what a dead writer left. */
function deadWriter(): { wal: string; header: WalIndexHeader } {
  const folder = temporaryFolder();
  const file = join(folder, "app.db");
  const script = `
import sqlite3, sys, os
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('pragma page_size=512'); c.execute('pragma journal_mode=wal')
c.execute('create table t(a)')
for i in range(2): c.execute('insert into t values(zeroblob(1500))')
os._exit(0)`;
  execFileSync("python3", ["-c", script, file]);
  copyFileSync(`${file}-wal`, join(folder, "copy-wal"));
  copyFileSync(`${file}-shm`, join(folder, "copy-shm"));
  return {
    wal: join(folder, "copy-wal"),
    header: decodeWalIndexHeader(readFileSync(join(folder, "copy-shm")))!,
  };
}

class Collector implements FrameSink {
  readonly pages: number[] = [];
  readonly commits: { databasePageCount: number; mark: WalMark }[] = [];

  frame(pageNumber: number): void {
    this.pages.push(pageNumber);
  }

  commit(databasePageCount: number, mark: WalMark): void {
    this.commits.push({ databasePageCount, mark });
  }
}

function readAll(wal: string, header: WalIndexHeader, from?: WalMark): { sink: Collector; tail: WalTail } {
  const tail = new WalTail(wal, 512, from ?? EMPTY);
  const sink = new Collector();
  try {
    if (from === undefined) tail.restartWithin(header);
    tail.read(header, sink, Infinity);
    return { sink, tail };
  } finally {
    tail.close();
  }
}

test("every frame up to the published one comes, and every commit with its place", () => {
  const { wal, header } = deadWriter();
  const { sink, tail } = readAll(wal, header);
  expect(sink.pages).toHaveLength(header.mxFrame);
  expect(sink.commits).toHaveLength(3);
  expect(sink.commits.at(-1)?.databasePageCount).toBe(header.databasePageCount);
  expect(tail.mark).toEqual({ frame: header.mxFrame, salts: header.salts, checksum: header.frameChecksum });
});

test("from any commit on, what follows it comes, and nothing else", () => {
  const { wal, header } = deadWriter();
  const whole = readAll(wal, header).sink;
  for (const { mark } of whole.commits) {
    const { sink } = readAll(wal, header, mark);
    expect(sink.pages).toEqual(whole.pages.slice(mark.frame));
  }
});

test("in small portions it is the same", () => {
  const { wal, header } = deadWriter();
  const tail = new WalTail(wal, 512, EMPTY);
  const sink = new Collector();
  tail.restartWithin(header);
  while (!tail.read(header, sink, 1)) expect(sink.pages.length).toBeLessThanOrEqual(header.mxFrame);
  tail.close();
  expect(sink.pages).toEqual(readAll(wal, header).sink.pages);
});

test("no bit can be flipped unseen", () => {
  const { wal, header } = deadWriter();
  const bytes = readFileSync(wal);
  const used = 32 + header.mxFrame * (24 + 512);
  for (let offset = 0; offset < used; offset += 5) {
    const flipped = Buffer.from(bytes.subarray(0, used));
    flipped[offset]! ^= 1 << (offset % 8);
    writeFileSync(wal, flipped);
    expect(() => readAll(wal, header), `bit in byte ${offset}`).toThrow(BrokenWalError);
  }
});

test("a WAL that is cut short, or belongs to another generation, is broken", () => {
  const { wal, header } = deadWriter();
  const bytes = readFileSync(wal);
  expect(() => readAll(wal, { ...header, salts: "0011223344556677" })).toThrow(BrokenWalError);
  expect(() => readAll(wal, { ...header, frameChecksum: "0011223344556677" })).toThrow(BrokenWalError);
  writeFileSync(wal, bytes.subarray(0, bytes.length - 1));
  expect(() => readAll(wal, header)).toThrow(BrokenWalError);
  writeFileSync(wal, "");
  expect(() => readAll(wal, header)).toThrow(BrokenWalError);
});

test("it knows whether the WAL still has a commit", () => {
  const { wal, header } = deadWriter();
  const marks = readAll(wal, header).sink.commits.map(({ mark }) => mark);
  const tail = new WalTail(wal, 512, EMPTY);
  for (const mark of marks) {
    expect(tail.holds(mark)).toBe(true);
    expect(tail.holds({ ...mark, frame: mark.frame + 1 })).toBe(false);
    expect(tail.holds({ ...mark, checksum: "0011223344556677" })).toBe(false);
    expect(tail.holds({ ...mark, salts: "0011223344556677" })).toBe(false);
  }
  expect(tail.holds(EMPTY)).toBe(false);
  tail.close();
});
