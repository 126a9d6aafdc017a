import { expect, test } from "vitest";
import { NEWCOMER_LOG_BYTES, generationsToDelete, isOutgrown, snapshotDue } from "./snapshot-policy.ts";
import type { Generation, SnapshotNeed } from "./snapshot-policy.ts";

const MIB = 1 << 20;
const HOUR_MS = 3_600_000;
const NOW_MS = 1_800_000_000_000;
const NEWEST = { createdMs: NOW_MS - HOUR_MS, txid: 100, logBytesAfter: 1000 };
const NEED: SnapshotNeed = {
  newest: NEWEST,
  headTxid: 200,
  logBytes: 1000 * MIB,
  databaseBytes: 0,
  isHoldingLog: false,
  keepLogBytes: 1024 * MIB,
  policy: { snapshotAfterBytes: 256 * MIB, snapshotMaxAgeMs: 24 * HOUR_MS },
  nowMs: NOW_MS,
};

const after = (logBytesAfter: number, databaseBytes = 0): ReturnType<typeof snapshotDue> =>
  snapshotDue({ ...NEED, newest: { ...NEWEST, logBytesAfter }, databaseBytes });
const of = (logId: string, ...generations: number[]): Generation[] =>
  generations.map((generation) => ({ generation, logId }));

test("a snapshot is due when the log since it outweighs the database, and at least what is stated", () => {
  expect(after(256 * MIB)).toBeUndefined();
  expect(after(256 * MIB + 1)).toBe("log");
  expect(after(256 * MIB + 1, 1024 * MIB)).toBeUndefined();
  expect(after(1024 * MIB + 1, 1024 * MIB)).toBe("log");
});

test("a snapshot is due when it is old, but only if something was committed since", () => {
  const old = { ...NEWEST, createdMs: NOW_MS - 24 * HOUR_MS };
  expect(snapshotDue({ ...NEED, newest: { ...old, createdMs: old.createdMs + 1 } })).toBeUndefined();
  expect(snapshotDue({ ...NEED, newest: old })).toBe("age");
  expect(snapshotDue({ ...NEED, newest: old, headTxid: 100 })).toBeUndefined();
});

test("a snapshot is due when the old one alone holds the log past its limit, however large the database is", () => {
  const databaseBytes = 2 ** 40;
  expect(snapshotDue({ ...NEED, databaseBytes, isHoldingLog: true })).toBe("limit");
  expect(snapshotDue({ ...NEED, databaseBytes, isHoldingLog: true, headTxid: 100 })).toBeUndefined();
  expect(snapshotDue({ ...NEED, databaseBytes, isHoldingLog: true, newest: undefined })).toBe("limit");
});

test("without any snapshot, one is due when the log could be cut if there was one", () => {
  const none = { ...NEED, newest: undefined };
  expect(snapshotDue({ ...none, logBytes: 1024 * MIB })).toBeUndefined();
  expect(snapshotDue({ ...none, logBytes: 1024 * MIB + 1 })).toBe("log");
  expect(snapshotDue({ ...none, logBytes: 256 * MIB, keepLogBytes: 0 })).toBeUndefined();
});

test("a newcomer gets a new one where it would fetch more log than a database, and more than is quickly read", () => {
  expect(isOutgrown({ logBytesAfter: NEWCOMER_LOG_BYTES, snapshotBytes: 0 })).toBe(false);
  expect(isOutgrown({ logBytesAfter: NEWCOMER_LOG_BYTES + 1, snapshotBytes: 0 })).toBe(true);
  expect(isOutgrown({ logBytesAfter: 100 * MIB, snapshotBytes: 100 * MIB })).toBe(false);
  expect(isOutgrown({ logBytesAfter: 100 * MIB + 1, snapshotBytes: 100 * MIB })).toBe(true);
  // The log after it is gone.
  expect(isOutgrown({ logBytesAfter: null, snapshotBytes: 2 ** 40 })).toBe(true);
});

test("as many generations stay as are to be kept, those that are downloaded, and the newest of all", () => {
  const all = [...of("old", 1, 2), ...of("new", 3, 4, 5, 6)];
  expect(generationsToDelete(all, "new", { keepSnapshots: 2 }, [])).toEqual([1, 2, 3, 4]);
  expect(generationsToDelete(all, "new", { keepSnapshots: 3 }, [1, 3, 77])).toEqual([2]);
  // None of the present log yet: the last number given must not come again.
  expect(generationsToDelete(all, "newer", { keepSnapshots: 2 }, [])).toEqual([1, 2, 3, 4, 5]);
  expect(generationsToDelete(all, "new", { keepSnapshots: 0 }, [])).toEqual([1, 2, 3, 4, 5]);
});
