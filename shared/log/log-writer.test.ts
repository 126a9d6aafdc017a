import {
  appendFileSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { fdatasyncSync, statSync, truncateSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { History } from "../../test/harness/history.ts";
import { TailraceError } from "../errors.ts";
import { DamagedLogError } from "./damaged-log-error.ts";
import { FragmentReader } from "./fragment-reader.ts";
import { LogWriter } from "./log-writer.ts";
import type { LogStorage, LogWriterOptions } from "./log-writer.ts";
import { listSegments, segmentPath } from "./segment-files.ts";

const LOG_ID = "000102030405060708090a0b0c0d0e0f";
let folder: string;
let history: History;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tailrace-log-"));
  history = new History();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(options: Partial<LogWriterOptions> = {}): ReturnType<typeof LogWriter.open> {
  return LogWriter.open({
    folder,
    logId: LOG_ID,
    epoch: 1,
    pageSizeBytes: history.pageSizeBytes,
    segmentSizeBytes: 1 << 20,
    durability: "os",
    clock: () => 1_700_000_000_000,
    initial: { txid: 0, checksum: 0x1122334455667788n, pageCount: 0 },
    // Thousands of opens below; what has to do with syncing has its own storage.
    storage: { write: writeSync, truncate: ftruncateSync, dataSync: () => {} },
    ...options,
  });
}

function refused(path: string): unknown {
  return expect.objectContaining({ code: "storage_failed", message: expect.stringContaining(path) });
}

function append(log: LogWriter, record: Buffer[] = history.record()): void {
  for (const fragment of record) log.append(fragment);
}

function transactions(
  from: { segment: number; offset: number },
  to: { segment: number; offset: number },
): number[] {
  const reader = new FragmentReader({ folder, start: from, end: () => to });
  const txids: number[] = [];
  for (let placed = reader.next(); placed !== undefined; placed = reader.next())
    txids.push(placed.fragment.txid);
  reader.close();
  return txids;
}

function expectError(action: () => unknown): TailraceError {
  try {
    action();
  } catch (error) {
    if (error instanceof TailraceError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** Said without expect(): thousands of cases cost more there than in what is tested. */
function isCut(cut: ReturnType<typeof open>["cut"], offset: number, bytes: number): boolean {
  return cut?.segment === 1 && cut.offset === offset && cut.bytes === bytes;
}

/** Real storage that counts its syncs. */
function countingStorage(): { storage: LogStorage; count: () => number } {
  let count = 0;
  const dataSync = (descriptor: number): void => {
    count += 1;
    fdatasyncSync(descriptor);
  };
  return { storage: { write: writeSync, truncate: ftruncateSync, dataSync }, count: () => count };
}

/** A log of three records, the second of two fragments. */
function writeLog(): { end: number; records: number[] } {
  const { log } = open();
  const records: number[] = [];
  for (let i = 0; i < 3; i++) {
    records.push(log.end.offset);
    append(log, history.record({ fragments: i === 1 ? 2 : 1 }));
  }
  const end = log.end.offset;
  log.close();
  return { end, records };
}

describe("a log keeps what was appended", () => {
  test("a new log is one segment that begins from the given state", () => {
    const { log, cut } = open({ initial: { txid: 7, checksum: 5n, pageCount: 3 } });
    expect(cut).toBeUndefined();
    expect(log.headTxid).toBe(7);
    expect(log.headChecksum).toBe(5n);
    expect(log.headPageCount).toBe(3);
    expect(log.headCommitTimeMs).toBeNull();
    expect(log.lastSource).toBeUndefined();
    expect(log.start).toEqual({ segment: 1, offset: 0 });
    expect(log.end).toEqual({ segment: 1, offset: 80 });
    log.close();
  });

  test("opened again, it goes on where it ended", () => {
    const { log } = open();
    append(log);
    append(log, history.record({ fragments: 3, pagesEach: 2 }));
    const { end } = log;
    log.close();

    const again = open().log;
    expect(again.end).toEqual(end);
    expect(again.headTxid).toBe(2);
    expect(again.headChecksum).toBe(history.checksum);
    expect(again.headPageCount).toBe(2);
    expect(again.headCommitTimeMs).toBe(1_700_000_000_002);
    expect(again.lastSource?.frame).toBe(2);
    append(again);
    expect(transactions(again.start, again.end)).toEqual([1, 2, 2, 2, 3]);
    again.close();
  });

  test("a segment is sealed at the first end of a record past its size, and its successor exists at once", () => {
    const { log } = open({ segmentSizeBytes: 2000 });
    for (let i = 0; i < 10; i++) append(log);
    expect(listSegments(folder).length).toBeGreaterThan(2);
    append(log, history.record({ fragments: 20 }));
    expect(log.end).toEqual({ segment: listSegments(folder).at(-1), offset: 80 });
    expect(transactions(log.start, log.end).at(-1)).toBe(11);
    const { end } = log;
    log.close();
    const again = open({ segmentSizeBytes: 2000 }).log;
    expect(again.end).toEqual(end);
    expect(again.headTxid).toBe(11);
    expect(again.lastSource?.frame).toBe(11);
    again.close();
  });

  test("a segment is sealed before its size when that is asked for, but not within a record, and not without one", () => {
    const { log } = open();
    log.seal();
    expect(log.end).toEqual({ segment: 1, offset: 80 });
    append(log);
    const { end } = log;
    const [first, second] = history.record({ fragments: 2 });
    log.append(first!);
    log.seal();
    expect(log.end).toEqual(end);
    log.append(second!);
    expect(log.end.segment).toBe(1);
    log.seal();
    log.seal();
    expect(log.durableEnd).toEqual({ segment: 2, offset: 80 });
    append(log);
    append(log);
    expect(log.end.segment).toBe(2);
    log.dropBefore(2);
    expect(log.start).toEqual({ segment: 2, offset: 0 });
    log.close();
    expect(open().log.headTxid).toBe(history.txid);
  });

  test("a segment has the epoch of the record before it, also where that was raised while the log was open", () => {
    const { log } = open({ epoch: 1 });
    history.epoch = 2;
    append(log);
    log.seal();
    append(log);
    log.close();
    const again = open({ epoch: 2 }).log;
    expect(again.headTxid).toBe(2);
    again.close();
  });

  test("a reader follows a log that grows, and sees nothing of a record before it is whole", () => {
    const { log } = open({ segmentSizeBytes: 3000 });
    const reader = new FragmentReader({ folder, start: log.start, end: () => log.end });
    const seen: number[] = [];
    const drain = (): void => {
      for (let placed = reader.next(); placed !== undefined; placed = reader.next())
        seen.push(placed.fragment.txid);
    };
    for (let round = 1; round <= 12; round++) {
      const fragments = history.record({ fragments: 2 });
      log.append(fragments[0]!);
      drain();
      expect(seen.at(-1) ?? 0).toBe(round - 1);
      log.append(fragments[1]!);
      drain();
      expect(seen.slice(-2)).toEqual([round, round]);
    }
    reader.close();
    log.close();
  });

  test("fragments larger than half the read buffer come out whole", () => {
    history = new History(65536);
    const { log } = open();
    for (let i = 0; i < 4; i++) append(log, history.record({ fragments: 3, pagesEach: 16 }));
    expect(transactions(log.start, log.end)).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    log.close();
  });

  test("an abandoned record leaves no trace", () => {
    const { log } = open();
    append(log);
    const { end } = log;
    const { txid, checksum, pageCount } = history;
    log.append(history.record({ fragments: 2 })[0]!);
    log.abandonRecord();
    Object.assign(history, { txid, checksum, pageCount });
    expect(log.end).toEqual(end);
    expect(statSync(segmentPath(folder, 1)).size).toBe(end.offset);
    append(log);
    expect(transactions(log.start, log.end)).toEqual([1, 2]);
    log.close();
  });

  test("a record that does not follow is a bug, and is not written", () => {
    const { log } = open();
    append(log);
    history.checksum ^= 1n;
    expect(expectError(() => append(log)).code).toBe("internal");
    expect(transactions(log.start, log.end)).toEqual([1]);
    log.close();
  });
});

describe("durability", () => {
  test("commit: each record is on disk before append returns", () => {
    const { storage, count } = countingStorage();
    const { log } = open({ durability: "commit", storage });
    const before = count();
    append(log);
    append(log, history.record({ fragments: 3 }));
    expect(count()).toBe(before + 2);
    expect(log.durableEnd).toEqual(log.end);
    log.close();
  });

  test("group: one sync for all that were appended; nothing is durable before", () => {
    const { storage, count } = countingStorage();
    const { log } = open({ durability: "group", storage });
    const before = count();
    append(log);
    append(log);
    expect(log.durableEnd).toEqual({ segment: 1, offset: 80 });
    log.sync();
    log.sync();
    expect(count()).toBe(before + 1);
    expect(log.durableEnd).toEqual(log.end);
    log.close();
  });

  test("group: a segment is on disk before its successor exists", () => {
    const synced: number[] = [];
    const dataSync = (): void =>
      void synced.push(statSync(segmentPath(folder, listSegments(folder).at(-1)!)).size);
    const storage = { write: writeSync, truncate: ftruncateSync, dataSync };
    const { log } = open({ durability: "group", segmentSizeBytes: 600, storage });
    synced.length = 0;
    const [record] = history.record();
    log.append(record!);
    expect(synced).toEqual([80 + record!.length]);
    expect(log.end).toEqual({ segment: 2, offset: 80 });
    expect(log.durableEnd).toEqual(log.end);
    log.close();
  });

  test("os: durable at once, without a sync", () => {
    const { storage, count } = countingStorage();
    const { log } = open({ durability: "os", storage });
    const before = count();
    append(log);
    expect(count()).toBe(before);
    expect(log.durableEnd).toEqual(log.end);
    log.close();
  });

  test("after a failed sync nothing more is written: nobody knows what the disk holds", () => {
    const storage: LogStorage = { write: writeSync, truncate: ftruncateSync, dataSync: fdatasyncSync };
    const { log } = open({ durability: "group", storage });
    append(log);
    storage.dataSync = () => {
      throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
    };
    const error = expectError(() => log.sync());
    expect(error.code).toBe("storage_failed");
    expect(error.retryable).toBe(false);
    storage.dataSync = fdatasyncSync;
    expect(expectError(() => append(log))).toBe(error);
    expect(expectError(() => log.sync())).toBe(error);
    expect(log.durableEnd).toEqual({ segment: 1, offset: 80 });
  });

  test.each(["commit", "group"] as const)(
    "%s: what a failed sync may have lost is not there for the next start, which would take it for durable",
    (durability) => {
      const storage: LogStorage = { write: writeSync, truncate: ftruncateSync, dataSync: fdatasyncSync };
      const { log } = open({ durability, storage });
      append(log);
      log.sync();
      const { durableEnd, headTxid } = log;
      storage.dataSync = () => {
        throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
      };
      expectError(() => {
        append(log);
        log.sync();
      });
      log.close();
      const { log: next } = open({ durability });
      expect([next.headTxid, next.end]).toEqual([headTxid, durableEnd]);
    },
  );
});

describe("a full disk", () => {
  test.each([0, 1, 100, 600, 700, 1300])(
    "the record is cut away whole when %i bytes fit, and can be appended again later",
    (room) => {
      let left = Number.POSITIVE_INFINITY;
      const storage: LogStorage = {
        dataSync: fdatasyncSync,
        truncate: ftruncateSync,
        write(descriptor, bytes, from, count, position) {
          if (left === 0)
            throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
          const written = writeSync(descriptor, bytes, from, Math.min(count, left), position);
          left -= written;
          return written;
        },
      };
      const { log } = open({ storage });
      append(log);
      const { end } = log;
      const record = history.record({ fragments: 3 });
      left = room;
      const error = expectError(() => append(log, record));
      expect(error.code).toBe("storage_failed");
      expect(error.retryable).toBe(true);
      expect(error.message).toContain("ENOSPC");
      expect(log.end).toEqual(end);
      expect(log.headTxid).toBe(1);
      expect(statSync(segmentPath(folder, 1)).size).toBe(end.offset);

      left = Number.POSITIVE_INFINITY;
      append(log, record);
      expect(transactions(log.start, log.end)).toEqual([1, 2, 2, 2]);
      log.close();
      expect(open().cut).toBeUndefined();
    },
  );

  test("where not even the cut succeeds, nothing is written before it has", () => {
    const storage: LogStorage = { write: writeSync, truncate: ftruncateSync, dataSync: fdatasyncSync };
    const { log } = open({ storage });
    append(log);
    storage.write = (descriptor, bytes, from, _count, position) => {
      storage.write = () => {
        throw new Error("EIO");
      };
      return writeSync(descriptor, bytes, from, 200, position);
    };
    let cuts = 0;
    storage.truncate = () => {
      cuts += 1;
      throw new Error("EROFS");
    };
    const record = history.record();
    expect(expectError(() => append(log, record))).toMatchObject({
      retryable: true,
      message: expect.stringContaining("EIO"),
    });
    storage.write = writeSync;
    expect(expectError(() => append(log, record))).toMatchObject({
      retryable: true,
      message: expect.stringMatching(/cannot be cut back.*EROFS/),
    });
    log.abandonRecord();
    expect(cuts).toBe(2);
    storage.truncate = ftruncateSync;
    append(log, record);
    expect(log.headTxid).toBe(2);
    log.close();
    const { log: healed, cut: nothing } = open({ storage });
    expect([healed.headTxid, nothing]).toEqual([2, undefined]);
    healed.close();
  });

  test("what could not be cut off is cut at the next open", () => {
    const storage: LogStorage = { write: writeSync, truncate: ftruncateSync, dataSync: fdatasyncSync };
    const { log } = open({ storage });
    append(log);
    const { end } = log;
    storage.write = (descriptor, bytes, from, _count, position) => {
      storage.write = () => {
        throw new Error("EIO");
      };
      return writeSync(descriptor, bytes, from, 200, position);
    };
    storage.truncate = () => {
      throw new Error("EROFS");
    };
    expectError(() => append(log));
    log.close();
    const { log: again, cut } = open();
    expect(cut).toEqual({ segment: 1, offset: end.offset, bytes: 200 });
    expect(again.end).toEqual(end);
    again.close();
  });
});

describe("removal", () => {
  test("segments go from the oldest on; the rest opens", () => {
    const { log } = open({ segmentSizeBytes: 1200 });
    for (let i = 0; i < 12; i++) append(log);
    const { end } = log;
    log.dropBefore(4);
    expect(log.start).toEqual({ segment: 4, offset: 0 });
    expect(listSegments(folder)[0]).toBe(4);
    log.close();
    const again = open({ segmentSizeBytes: 1200 }).log;
    expect(again.start).toEqual({ segment: 4, offset: 0 });
    expect(again.end).toEqual(end);
    expect(again.headTxid).toBe(12);
    again.close();
  });

  test("the newest record stays, whatever is asked", () => {
    const { log } = open({ segmentSizeBytes: 600 });
    for (let i = 0; i < 5; i++) append(log);
    expect(log.end).toEqual({ segment: 6, offset: 80 });
    log.dropBefore(99);
    expect(listSegments(folder)).toEqual([5, 6]);
    log.close();
    const again = open({ segmentSizeBytes: 600 }).log;
    expect(again.lastSource?.frame).toBe(5);
    again.close();
  });
});

describe("at open everything is proved", () => {
  test(
    "every single-bit flip of the newest segment is damage with its place, or concerns the last record and cuts it",
    { timeout: 120_000 },
    () => {
      const { end, records } = writeLog();
      const path = segmentPath(folder, 1);
      const whole = readFileSync(path);
      const last = records[2]!;
      const wrong: string[] = [];
      // Every bit of every header and page number, and one bit of each page byte.
      for (let byte = 0; byte < end; byte++) {
        const flipped = Buffer.from(whole);
        flipped[byte]! ^= 1 << (byte % 8);
        writeFileSync(path, flipped);
        if (byte >= last) {
          const { log, cut } = open();
          if (!isCut(cut, last, end - last) || log.headTxid !== 2)
            wrong.push(`${byte}: ${JSON.stringify(cut)}`);
          log.close();
          continue;
        }
        const error = expectError(() => open());
        const place = byte < 80 ? 0 : byte < records[1]! ? 80 : undefined;
        if (!["damaged", "unknown_version"].includes(error.code)) wrong.push(`${byte}: ${error.message}`);
        if (!(error instanceof DamagedLogError)) continue;
        const { segment, offset } = error.at;
        const isPlace = segment === 1 && offset <= byte && (place === undefined || offset === place);
        const isNamed = error.message.includes(`segment 1 is damaged at offset ${offset}`);
        if (!isPlace || !isNamed) wrong.push(`${byte}: ${error.message}`);
        if (!readFileSync(path).equals(flipped)) wrong.push(`${byte}: it was changed`);
      }
      expect(wrong).toEqual([]);
    },
  );

  test("every bit of a header counts, one by one", () => {
    const { records } = writeLog();
    const path = segmentPath(folder, 1);
    const whole = readFileSync(path);
    const codes = new Set<string>();
    for (const start of [0, records[0]!]) {
      for (let bit = 0; bit < 96 * 8; bit++) {
        const flipped = Buffer.from(whole);
        flipped[start + (bit >> 3)]! ^= 1 << (bit & 7);
        writeFileSync(path, flipped);
        codes.add(expectError(() => open()).code);
      }
    }
    expect([...codes]).toEqual(["damaged"]);
  });

  test("every truncation of the newest segment leaves the whole records before it, and says what it cut", () => {
    const { end, records } = writeLog();
    const path = segmentPath(folder, 1);
    const whole = readFileSync(path);
    const boundaries = [...records, end];
    const wrong: string[] = [];
    for (let size = 0; size < end; size++) {
      writeFileSync(path, whole.subarray(0, size));
      if (size < 80) {
        const error = expectError(() => open());
        if (!(error instanceof DamagedLogError)) wrong.push(`${size}: ${error.message}`);
        continue;
      }
      const kept = boundaries.filter((boundary) => boundary <= size).at(-1)!;
      const { log, cut } = open();
      const isKept =
        log.end.segment === 1 && log.end.offset === kept && log.headTxid === boundaries.indexOf(kept);
      const isTold = size === kept ? cut === undefined : isCut(cut, kept, size - kept);
      log.close();
      if (!isKept || !isTold || statSync(path).size !== kept) wrong.push(`${size}: ${JSON.stringify(cut)}`);
    }
    expect(wrong).toEqual([]);
  });

  test("any truncation or flip of a sealed segment is damage", () => {
    const { log } = open({ segmentSizeBytes: 1300 });
    for (let i = 0; i < 5; i++) append(log);
    log.close();
    const path = segmentPath(folder, 1);
    const whole = readFileSync(path);
    const wrong: string[] = [];
    const mustBeDamage = (what: string, bytes: Buffer): void => {
      writeFileSync(path, bytes);
      const error = expectError(() => open());
      if (!(error instanceof DamagedLogError)) wrong.push(`${what}: ${error.message}`);
    };
    for (let size = 0; size < whole.length; size++) {
      mustBeDamage(`cut at ${size}`, whole.subarray(0, size));
      const flipped = Buffer.from(whole);
      flipped[size]! ^= 1 << (size % 8);
      mustBeDamage(`a bit of byte ${size}`, flipped);
    }
    mustBeDamage("its records twice", Buffer.concat([whole, whole.subarray(80)]));
    expect(wrong).toEqual([]);
  });

  test("rubbish, zeros and the start of a record after the last one are a torn tail", () => {
    const { end } = writeLog();
    const path = segmentPath(folder, 1);
    const next = history.record()[0]!;
    const wrong = Buffer.from(next);
    wrong[300]! ^= 1;
    for (const tail of [Buffer.from("rubbish"), Buffer.alloc(5000), next.subarray(0, 200), wrong]) {
      appendFileSync(path, tail);
      const { log, cut } = open();
      expect(cut).toEqual({ segment: 1, offset: end, bytes: tail.length });
      log.close();
      expect(statSync(path).size).toBe(end);
    }
  });

  test("what is appended after a torn tail stands in its place", () => {
    const { end } = writeLog();
    const path = segmentPath(folder, 1);
    const next = history.record()[0]!;
    appendFileSync(path, next.subarray(0, 200));
    const { log } = open();
    expect(statSync(path).size).toBe(end);
    log.append(next);
    log.close();
    expect(statSync(path).size).toBe(end + next.length);
    const again = open();
    expect(again.cut).toBeUndefined();
    expect(again.log.headTxid).toBe(4);
    again.log.close();
  });

  test("fragments without their last one are a torn tail", () => {
    const { end } = writeLog();
    appendFileSync(segmentPath(folder, 1), Buffer.concat(history.record({ fragments: 3 }).slice(0, 2)));
    const { log, cut } = open();
    expect(cut?.offset).toBe(end);
    expect(log.headTxid).toBe(3);
    log.close();
  });

  test("a valid record that does not follow is damage, not a torn tail", () => {
    const { end } = writeLog();
    history.record();
    appendFileSync(segmentPath(folder, 1), history.record()[0]!);
    const error = expectError(() => open()) as DamagedLogError;
    expect(error.at).toEqual({ segment: 1, offset: end });
    expect(error.message).toContain("transaction 5 follows 3");
  });

  test("records that a loss of power took from among those on their way to the disk are a torn tail", () => {
    const { end } = writeLog();
    const path = segmentPath(folder, 1);
    const records = [1, 2, 3].map(() => history.record()[0]!);
    records[0]!.fill(0, 200, 300);
    for (const record of records) appendFileSync(path, record);
    for (const lackingAfter of [undefined, 4, 6])
      expect(expectError(() => open({ lackingAfter })).code).toBe("damaged");
    const { log, cut } = open({ lackingAfter: 3 });
    expect(cut).toEqual({ segment: 1, offset: end, bytes: Buffer.concat(records).length });
    expect(log.headTxid).toBe(3);
    log.close();
  });

  test.each([0, 1, 3, 50, 95, 96])(
    "a record that is damaged is no torn tail when %i bytes of the next one's header are in the first mebibyte behind it",
    (within) => {
      open().log.close();
      history.record();
      const lost = Buffer.alloc(8 + (1 << 20) - within);
      appendFileSync(segmentPath(folder, 1), Buffer.concat([lost, ...history.record()]));
      expect((expectError(() => open()) as DamagedLogError).at).toEqual({ segment: 1, offset: 80 });
    },
  );

  test("a missing segment and a segment of another log are named", () => {
    const { log } = open({ segmentSizeBytes: 600 });
    for (let i = 0; i < 4; i++) append(log);
    log.close();
    expect(expectError(() => open({ logId: "f".repeat(32) })).message).toContain(`belongs to log ${LOG_ID}`);
    rmSync(segmentPath(folder, 3));
    const error = expectError(() => open()) as DamagedLogError;
    expect(error.at).toEqual({ segment: 3, offset: 0 });
    expect(error.message).toContain("missing");
  });

  test("what the disk refuses is told with its path, and is no bug", () => {
    open().log.close();
    const unfinished = `${segmentPath(folder, 2)}.tmp`;
    mkdirSync(unfinished);
    expect(() => open()).toThrow(refused(unfinished));
    rmdirSync(unfinished);
    rmSync(segmentPath(folder, 1));
    mkdirSync(segmentPath(folder, 1));
    expect(() => open()).toThrow(refused(folder));
    const end = { segment: 1, offset: 100 };
    expect(() => transactions({ segment: 1, offset: 0 }, end)).toThrow(refused(segmentPath(folder, 1)));
  });

  test("a segment in the making is no segment", () => {
    writeLog();
    writeFileSync(`${segmentPath(folder, 2)}.tmp`, "half a hea");
    const { log } = open();
    expect(log.headTxid).toBe(3);
    expect(existsSync(`${segmentPath(folder, 2)}.tmp`)).toBe(false);
    log.close();
  });

  test("a segment lost from the end is only seen where the log is compared with the database", () => {
    const { end, records } = writeLog();
    truncateSync(segmentPath(folder, 1), records[2]);
    const { log, cut } = open();
    expect(cut).toBeUndefined();
    expect(log.headTxid).toBe(2);
    expect(log.end.offset).toBeLessThan(end);
    log.close();
  });
});
