import { appendFileSync, rmSync, truncateSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { History } from "../../test/harness/history.ts";
import { LogWriter } from "../log/log-writer.ts";
import { segmentPath } from "../log/segment-files.ts";
import { SEGMENT_HEADER_BYTES } from "../format/segment.ts";
import { runToEnd } from "../pages/scan.ts";
import type { DamagedSegment } from "./verification-status.ts";
import { eachDamage } from "./log-verification.ts";
import type { LogOnDisk } from "./log-verification.ts";
import { scanLog } from "./log-scan.ts";

const LOG_ID = "0".repeat(32);

/** A log of four segments, the last of which is being written, with some ten records each. */
class Log {
  readonly folder: string = join(temporaryFolder(), "log");
  private readonly history = new History();
  readonly writer: LogWriter;
  /** Stretches that were read. */
  readings = 0;
  /** Done when a stretch has been read so many times. */
  meanwhile: Record<number, () => void> = {};

  constructor(checksum?: bigint) {
    if (checksum !== undefined) this.history.checksum = checksum;
    this.writer = LogWriter.open({
      folder: this.folder,
      logId: LOG_ID,
      epoch: 1,
      pageSizeBytes: 512,
      segmentSizeBytes: 10_000,
      durability: "os",
      clock: () => 1_700_000_000_000,
      initial: this.history.initial,
    }).log;
    while (this.writer.end.segment < 4) this.append();
    this.append();
    this.append();
  }

  append(): void {
    for (const fragment of this.history.record({ fragments: 2 })) this.writer.append(fragment);
  }

  now(): LogOnDisk {
    const { start, durableEnd: end, headTxid } = this.writer;
    return { folder: this.folder, logId: LOG_ID, start, end, headTxid, sizeBytes: 0 };
  }

  flip(segment: number, offset: number): void {
    const path = segmentPath(this.folder, segment);
    const bytes = readFileSync(path);
    bytes[offset]! ^= 1;
    writeFileSync(path, bytes);
  }

  /** Bytes of a record of this log, all alike. */
  get recordBytes(): number {
    return (this.writer.end.offset - SEGMENT_HEADER_BYTES) / 2;
  }

  /** The first transaction of a segment. */
  firstTxid(segment: number): number {
    return 1 + (segment - 1) * ((this.writer.headTxid - 2) / 3);
  }

  async damage(): Promise<DamagedSegment[]> {
    const thread = {
      logDamage: async (stretch: Parameters<typeof scanLog>[0]): Promise<DamagedSegment | null> => {
        const found = runToEnd(scanLog(stretch));
        this.meanwhile[++this.readings]?.();
        return found;
      },
    };
    const found: DamagedSegment[] = [];
    for await (const damage of eachDamage(thread, async () => this.now())) found.push(damage);
    return found;
  }
}

test("a sound log has no damage; nor has what is appended while it is read", async () => {
  const log = new Log();
  const before = log.now();
  const scan = scanLog(before);
  expect(scan.next().value).toBe(log.recordBytes / 2);
  log.append();
  expect(runToEnd(scan)).toBe(null);
  // What is not durable yet is not looked at.
  appendFileSync(segmentPath(log.folder, 4), "half a record");
  expect(await log.damage()).toEqual([]);
  expect(log.readings).toBe(1);
});

test("any bit that flips in a sealed segment, in an older part of the newest, or in a header is told of with its place", async () => {
  const log = new Log();
  for (const segment of [1, 2, 3, 4]) {
    const headTxid = segment === 4 ? log.writer.headTxid : log.firstTxid(segment + 1) - 1;
    for (const offset of [20, SEGMENT_HEADER_BYTES + 8, log.recordBytes - 100, log.recordBytes + 200]) {
      log.flip(segment, offset);
      const record = Math.max(0, Math.floor((offset - SEGMENT_HEADER_BYTES) / log.recordBytes));
      const isHeader = offset < SEGMENT_HEADER_BYTES;
      const [damage, ...more] = await log.damage();
      expect(more).toEqual([]);
      expect(damage).toMatchObject({
        segment,
        // Before the first header nothing is known of what there was.
        firstTxid: isHeader && segment === 1 ? null : log.firstTxid(segment) + record,
        lastTxid: headTxid,
      });
      expect(damage!.offset).toBeLessThanOrEqual(offset);
      expect(damage!.offset).toBeGreaterThan(offset - log.recordBytes);
      log.flip(segment, offset);
    }
  }
  expect(await log.damage()).toEqual([]);
});

test("of each damaged segment one place is told", async () => {
  const log = new Log();
  for (const segment of [1, 2, 4]) log.flip(segment, 900);
  log.flip(2, 2000);
  expect((await log.damage()).map(({ segment }) => segment)).toEqual([1, 2, 4]);
});

test("a segment that is gone, or has lost its end, also at a border of records, is told of", async () => {
  const log = new Log();
  const sealed = readFileSync(segmentPath(log.folder, 2));
  for (const sizeBytes of [0, SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + log.recordBytes, 5000]) {
    truncateSync(segmentPath(log.folder, 2), sizeBytes);
    const [damage, ...more] = await log.damage();
    expect(more).toEqual([]);
    expect(damage).toMatchObject({ segment: 2, lastTxid: log.firstTxid(3) - 1 });
    expect(damage!.offset).toBeLessThanOrEqual(sizeBytes);
    writeFileSync(segmentPath(log.folder, 2), sealed);
  }
  rmSync(segmentPath(log.folder, 2));
  expect(await log.damage()).toMatchObject([{ segment: 2, offset: 0, what: "the file is missing" }]);
});

test("a segment in the place of another is told of: of this log, or sound but of another history", async () => {
  const log = new Log();
  writeFileSync(segmentPath(log.folder, 2), readFileSync(segmentPath(log.folder, 3)));
  expect(await log.damage()).toMatchObject([{ segment: 2, offset: 0 }]);
  const other = new Log(0x77n);
  writeFileSync(segmentPath(log.folder, 2), readFileSync(segmentPath(other.folder, 2)));
  expect(await log.damage()).toMatchObject([
    { segment: 2, offset: 0, what: expect.stringContaining("does not begin where") },
  ]);
});

test("a segment that was trimmed meanwhile is no damage, whenever that was", async () => {
  for (const reading of [0, 1, 2]) {
    const log = new Log();
    log.flip(2, 2000);
    log.meanwhile[reading] = () => log.writer.dropBefore(3);
    if (reading === 0) {
      rmSync(segmentPath(log.folder, 2));
      log.meanwhile[1] = () => log.writer.dropBefore(3);
    }
    expect(await log.damage()).toEqual([]);
  }
});

test("what is good at a second reading was not bad on the disk", async () => {
  const log = new Log();
  log.flip(2, 2000);
  log.flip(3, 2000);
  log.meanwhile[1] = () => log.flip(2, 2000);
  expect(await log.damage()).toMatchObject([{ segment: 3 }]);
});

test("another log in its place has nothing to do with it", async () => {
  const log = new Log();
  log.flip(2, 2000);
  const before = log.now();
  log.meanwhile[1] = () => {
    log.now = () => ({ ...before, logId: "f".repeat(32) });
  };
  expect(await log.damage()).toEqual([]);
});
