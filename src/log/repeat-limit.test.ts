import fc from "fast-check";
import { expect, test } from "vitest";
import type { Notice } from "../../shared/notice.ts";
import { RepeatLimit } from "./repeat-limit.ts";

const trouble = (code: string, text = code, level: Notice["level"] = "warn"): Notice => ({
  level,
  name: "capture_trouble",
  text,
  fields: { code },
});
const endangered = (id: string): Notice => ({
  level: "warn",
  name: "replica_endangered",
  text: id,
  fields: { id },
});
const inactive = (id: string): Notice => ({ ...endangered(id), name: "replica_inactive" });
const texts = (notices: readonly Notice[]): readonly string[] => notices.map(({ text }) => text);

test("the first is told at once, those of the next minute as one, with their number and the newest words", () => {
  const limit = new RepeatLimit();
  expect(texts(limit.admit(trouble("storage_failed", "1st"), 0))).toEqual(["1st"]);
  expect(limit.nextDueMs(0)).toBeUndefined();
  for (let n = 2; n <= 100; n++) expect(limit.admit(trouble("storage_failed", `${n}th`), n)).toEqual([]);
  expect(limit.nextDueMs(100)).toBe(59_900);
  expect(limit.due(59_999)).toEqual([]);
  const [summary] = limit.due(60_000);
  expect(summary).toMatchObject({
    text: "100th (99 × since it was last logged)",
    fields: { code: "storage_failed", repeats: 99 },
  });
  // It goes on: no news either.
  expect(limit.admit(trouble("storage_failed"), 60_001)).toEqual([]);
});

test("after a quiet minute it is news again", () => {
  const limit = new RepeatLimit();
  limit.admit(trouble("storage_failed"), 0);
  expect(texts(limit.admit(trouble("storage_failed", "again"), 60_000))).toEqual(["again"]);
});

test("another code, another replica and what is no trouble are told at once", () => {
  const limit = new RepeatLimit();
  for (const notice of [
    trouble("storage_failed"),
    trouble("database_busy"),
    inactive("edge-1"),
    inactive("edge-2"),
  ])
    expect(limit.admit(notice, 0)).toEqual([notice]);
  for (let n = 0; n < 3; n++) expect(limit.admit(trouble("x", "fine", "info"), 0)).toHaveLength(1);
});

test("that a replica will be lost, and is, is told each time: nobody goes unannounced", () => {
  const limit = new RepeatLimit();
  for (let ms = 0; ms < 3; ms++) {
    for (const name of ["replica_endangered", "replica_lost"]) {
      const notice = { ...endangered("edge-1"), name };
      expect(limit.admit(notice, ms)).toEqual([notice]);
    }
  }
  expect(limit.flush()).toEqual([]);
});

test("a trouble that comes and goes is one: its ends are held back as it is, and both are summed up", () => {
  const limit = new RepeatLimit();
  const recovered: Notice = { level: "info", name: "capture_recovered", text: "well again", fields: {} };
  const told = [0, 1, 2].flatMap((ms) => [
    ...limit.admit(trouble("storage_failed", "full"), ms),
    ...limit.admit(recovered, ms),
  ]);
  expect(texts(told)).toEqual(["full", "well again"]);
  expect(texts(limit.due(60_000))).toEqual([
    "full (2 × since it was last logged)",
    "well again (2 × since it was last logged)",
  ]);
});

test("what was held back is told at the end", () => {
  const limit = new RepeatLimit();
  limit.admit(trouble("storage_failed"), 0);
  limit.admit(trouble("storage_failed", "last"), 1);
  expect(texts(limit.flush())).toEqual(["last (1 × since it was last logged)"]);
  expect(limit.flush()).toEqual([]);
});

test("of any trouble at any pace, each is told or counted once, and few lines are written", () => {
  const options = { windowMs: 1_000, maxKinds: 4 };
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 400 })), {
        maxLength: 200,
      }),
      (happenings) => {
        const limit = new RepeatLimit(options);
        let nowMs = 0;
        const told: Notice[] = [];
        for (const [kind, pauseMs] of happenings) {
          nowMs += pauseMs;
          told.push(...limit.admit(trouble(`code_${kind}`), nowMs));
        }
        told.push(...limit.flush());
        const counted = told.reduce(
          (sum, { fields }) => sum + (typeof fields["repeats"] === "number" ? fields["repeats"] : 1),
          0,
        );
        expect(counted).toBe(happenings.length);
      },
    ),
  );
  const flood = new RepeatLimit(options);
  let lines = 0;
  for (let nowMs = 0; nowMs < 10_000; nowMs++) lines += flood.admit(trouble("flood"), nowMs).length;
  expect(lines).toBe(10);
});
