import { expect, test } from "vitest";
import { Random } from "../core/random.ts";
import { SECTOR_BYTES, WriteLog } from "./write-log.ts";

const SEEDS = Array.from({ length: 200 }, (_, seed) => String(seed));
const OLD = Buffer.alloc(4 * SECTOR_BYTES, "o");
const NEW = Buffer.alloc(4 * SECTOR_BYTES, "n");

/** What is left of a log, for each seed made anew. */
function outcomes(make: () => WriteLog): Buffer[] {
  return SEEDS.map((seed) => make().losePower(new Random(seed)));
}

function written(): WriteLog {
  const log = new WriteLog(OLD);
  log.write(0, NEW);
  return log;
}

test("what was synced is there after any loss of power", () => {
  const found = outcomes(() => {
    const log = written();
    log.sync();
    return log;
  });
  for (const bytes of found) expect(bytes.equals(NEW)).toBe(true);
});

test("what was not synced is there, is lost, or is torn at a sector's edge", () => {
  const found = outcomes(written);
  expect(found.some((bytes) => bytes.equals(OLD))).toBe(true);
  expect(found.some((bytes) => bytes.equals(NEW))).toBe(true);
  expect(found.some((bytes) => !bytes.equals(OLD) && !bytes.equals(NEW))).toBe(true);
  for (const bytes of found) {
    for (let start = 0; start < bytes.length; start += SECTOR_BYTES) {
      const sector = bytes.toString("latin1", start, start + SECTOR_BYTES);
      expect(["o".repeat(SECTOR_BYTES), "n".repeat(SECTOR_BYTES)]).toContain(sector);
    }
  }
});

test("a later write may reach the disk without an earlier one", () => {
  const found = outcomes(() => {
    const log = new WriteLog(OLD);
    log.write(0, NEW.subarray(0, SECTOR_BYTES));
    log.write(3 * SECTOR_BYTES, NEW.subarray(0, SECTOR_BYTES));
    return log;
  });
  expect(found.some((bytes) => bytes[0] === OLD[0] && bytes.at(-1) === NEW[0])).toBe(true);
});

test("a sync up to a mark leaves what came after it to chance", () => {
  const found = outcomes(() => {
    const log = new WriteLog();
    log.write(0, Buffer.from("first"));
    const mark = log.mark;
    log.write(5, Buffer.from("second"));
    log.sync(mark);
    log.sync(mark);
    return log;
  }).map(String);
  expect(new Set(found)).toEqual(new Set(["first", "firstsecond"]));
});

test("after a failed sync the next one succeeds, without what was lost", () => {
  const log = written();
  log.failSync();
  log.write(0, Buffer.from("later"));
  log.sync();
  expect(log.durable().toString("latin1", 0, 8)).toBe("laterooo");
});

test("no write outlives a truncation before it that does not", () => {
  const found = outcomes(() => {
    const log = new WriteLog(OLD);
    log.truncate(0);
    log.write(0, Buffer.from("n"));
    return log;
  });
  expect(new Set(found.map((bytes) => `${bytes.length}${bytes.toString("latin1", 0, 1)}`))).toEqual(
    new Set([`${OLD.length}o`, "0", "1n"]),
  );
});

test("a hole reads as zeros, also where something was cut off", () => {
  const log = new WriteLog(OLD);
  log.truncate(2);
  log.write(4, Buffer.from("n"));
  log.sync();
  expect(log.durable().toString("latin1")).toBe("oo\0\0n");
});
