import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideRetention, reasonsToKeep } from "./retention.ts";
import type { RetentionState } from "./retention.ts";

const MIB = 1 << 20;
const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

/** Segments 3 to 8 of 64 MiB, one written each hour, the last one now. */
const six = [3, 4, 5, 6, 7, 8].map((segment) => ({
  segment,
  sizeBytes: 64 * MIB,
  modifiedMs: NOW_MS - (8 - segment) * HOUR_MS,
}));
const at = (segment: number): { segment: number; offset: number } => ({ segment, offset: 1000 });
const STATE: RetentionState = {
  segments: six,
  snapshots: [{ generation: 1, cursor: at(8) }],
  recovery: at(8),
  replicas: [],
  damagedThrough: null,
  limits: { keepBytes: 0, keepMs: 0, maxBytes: null, holdInactiveMs: 24 * HOUR_MS },
  nowMs: NOW_MS,
};
const limits = (changes: Partial<RetentionState["limits"]>): Pick<RetentionState, "limits"> => ({
  limits: { ...STATE.limits, ...changes },
});
const replica = (id: string, segment: number, inactiveSinceMs: number | null = null) => ({
  id,
  received: at(segment),
  inactiveSinceMs,
});

describe("segments go", () => {
  test("that nobody needs, but never the newest", () => {
    expect(decideRetention(STATE)).toEqual({
      firstToKeep: 8,
      firstWithoutReplicas: 8,
      lost: [],
      released: [],
      heldPastLimitBy: null,
    });
  });

  test("up to the earliest kept snapshot, recovery, or replica", () => {
    const older = [
      { generation: 1, cursor: at(5) },
      { generation: 2, cursor: at(7) },
    ];
    expect(decideRetention({ ...STATE, snapshots: older }).firstToKeep).toBe(5);
    expect(decideRetention({ ...STATE, recovery: at(6) }).firstToKeep).toBe(6);
    const held = decideRetention({ ...STATE, replicas: [replica("a", 7), replica("b", 4)] });
    expect(held).toMatchObject({ firstToKeep: 4, firstWithoutReplicas: 8, lost: [] });
  });

  test("not while there is no snapshot: nobody could begin to follow", () => {
    expect(decideRetention({ ...STATE, snapshots: [] }).firstToKeep).toBe(3);
    const past = decideRetention({ ...STATE, snapshots: [], ...limits({ maxBytes: 100 * MIB }) });
    expect(past).toMatchObject({ firstToKeep: 3, heldPastLimitBy: "snapshot" });
  });

  test("not below the least size, and not before the least time", () => {
    expect(decideRetention({ ...STATE, ...limits({ keepBytes: 128 * MIB }) }).firstToKeep).toBe(7);
    expect(decideRetention({ ...STATE, ...limits({ keepBytes: 129 * MIB }) }).firstToKeep).toBe(6);
    expect(decideRetention({ ...STATE, ...limits({ keepMs: 2 * HOUR_MS }) }).firstToKeep).toBe(7);
    expect(decideRetention({ ...STATE, ...limits({ keepMs: 2 * HOUR_MS + 1 }) }).firstToKeep).toBe(6);
  });
});

test("after a clock was set back: without a least time nothing is held for being of the future", () => {
  const nowMs = NOW_MS - 100 * HOUR_MS;
  expect(decideRetention({ ...STATE, nowMs }).firstToKeep).toBe(8);
  expect(reasonsToKeep({ ...STATE, nowMs })[0]).toEqual([]);
  expect(decideRetention({ ...STATE, nowMs, ...limits({ keepMs: 1 }) }).firstToKeep).toBe(3);
});

test("the limits themselves: what is exactly as large, as old, or as much as may be", () => {
  // Exactly the least size is left, exactly the least time has passed.
  expect(decideRetention({ ...STATE, ...limits({ keepBytes: 64 * MIB }) }).firstToKeep).toBe(8);
  expect(decideRetention({ ...STATE, ...limits({ keepMs: HOUR_MS }) }).firstToKeep).toBe(8);
  // Exactly the most is not past it.
  const replicas = [replica("edge-1", 4)];
  const most = (maxBytes: number) => decideRetention({ ...STATE, replicas, ...limits({ maxBytes }) });
  expect(most(5 * 64 * MIB)).toMatchObject({ firstToKeep: 4, lost: [] });
  expect(most(5 * 64 * MIB - 1)).toMatchObject({ firstToKeep: 8, lost: ["edge-1"] });
  // Segments that were all written in one moment, as a copied folder may have them.
  const segments = six.map((segment) => ({ ...segment, modifiedMs: NOW_MS - HOUR_MS }));
  expect(decideRetention({ ...STATE, segments, ...limits({ keepMs: HOUR_MS }) }).firstToKeep).toBe(8);
  expect(decideRetention({ ...STATE, segments, ...limits({ keepMs: HOUR_MS + 1 }) }).firstToKeep).toBe(3);
});

test("a most that is smaller than one segment leaves the newest, and asks for nothing when that is all there is", () => {
  const tiny = limits({ maxBytes: MIB, keepBytes: 1 << 30 });
  expect(decideRetention({ ...STATE, ...tiny })).toMatchObject({ firstToKeep: 8, heldPastLimitBy: null });
  const snapshots = [{ generation: 1, cursor: at(7) }];
  expect(decideRetention({ ...STATE, snapshots, ...tiny })).toMatchObject({
    firstToKeep: 7,
    heldPastLimitBy: "snapshot",
  });
});

describe("past the most that the log may have", () => {
  const most = limits({ maxBytes: 200 * MIB, keepBytes: 1 << 30, keepMs: 100 * HOUR_MS });

  test("the replicas whose segments go are lost, by name, and no others", () => {
    const replicas = [replica("slow", 3), replica("slower", 5, NOW_MS - 1), replica("fine", 6)];
    expect(decideRetention({ ...STATE, replicas, ...most })).toMatchObject({
      firstToKeep: 6,
      lost: ["slow", "slower"],
      heldPastLimitBy: null,
    });
  });

  test("what the newest snapshot needs stays, and a new one is due; an older one does not hold it", () => {
    const snapshots = [
      { generation: 1, cursor: at(3) },
      { generation: 2, cursor: at(4) },
    ];
    expect(decideRetention({ ...STATE, snapshots, ...most })).toMatchObject({
      firstToKeep: 4,
      heldPastLimitBy: "snapshot",
    });
    expect(decideRetention({ ...STATE, recovery: at(5), ...most })).toMatchObject({
      firstToKeep: 5,
      heldPastLimitBy: "recovery",
    });
  });
});

test("a replica that is away is held for the stated time, and then released", () => {
  const { holdInactiveMs } = STATE.limits;
  const away = replica("away", 4, NOW_MS - holdInactiveMs + 1);
  expect(decideRetention({ ...STATE, replicas: [away] })).toMatchObject({ firstToKeep: 4, released: [] });
  expect(decideRetention({ ...STATE, replicas: [away], nowMs: NOW_MS + 1 })).toMatchObject({
    firstToKeep: 8,
    released: ["away"],
    lost: [],
  });
});

test("each segment is kept for reasons, the earliest first", () => {
  const state = {
    ...STATE,
    snapshots: [{ generation: 3, cursor: at(6) }],
    recovery: at(8),
    replicas: [replica("edge-1", 4), replica("edge-2", 7), replica("gone", 2)],
    ...limits({ keepBytes: 65 * MIB, keepMs: 2 * HOUR_MS }),
  };
  expect(reasonsToKeep(state)).toEqual([
    [],
    ["replica edge-1"],
    ["replica edge-1"],
    ["replica edge-1", "snapshot 3"],
    ["replica edge-1", "snapshot 3", "replica edge-2", "least size", "least time"],
    ["replica edge-1", "snapshot 3", "replica edge-2", "recovery", "least size", "least time"],
  ]);
});

const anyState: fc.Arbitrary<RetentionState> = fc
  .record({
    before: fc.nat(20),
    sizes: fc.array(fc.nat(100), { minLength: 1, maxLength: 12 }),
    ages: fc.array(fc.nat(50), { minLength: 12, maxLength: 12 }),
    places: fc.array(fc.nat(14), { maxLength: 3 }),
    recovery: fc.nat(14),
    damage: fc.option(fc.nat(14)),
    replicas: fc.array(fc.record({ place: fc.nat(14), awayMs: fc.option(fc.nat(60)) }), { maxLength: 5 }),
    keepBytes: fc.nat(600),
    keepMs: fc.nat(60),
    maxBytes: fc.option(fc.nat(900)),
    holdInactiveMs: fc.nat(60),
  })
  .map(({ before, sizes, ages, places, recovery, damage, replicas, ...numbers }) => {
    const place = (index: number): { segment: number; offset: number } => ({
      // Also before the start, as of somebody who lost his place; never beyond the end.
      segment: Math.max(1, Math.min(before - 1 + index, before + sizes.length)),
      offset: 7,
    });
    // Older segments were written earlier.
    const sortedAges = ages.slice(0, sizes.length).toSorted((a, b) => b - a);
    return {
      segments: sizes.map((sizeBytes, index) => ({
        segment: before + 1 + index,
        sizeBytes,
        modifiedMs: NOW_MS - sortedAges[index]!,
      })),
      snapshots: places.map((index, generation) => ({ generation, cursor: place(index) })),
      recovery: place(recovery),
      replicas: replicas.map(({ place: index, awayMs }, number) => ({
        id: `r${number}`,
        received: place(index),
        inactiveSinceMs: awayMs === null ? null : NOW_MS - awayMs,
      })),
      damagedThrough: damage === null ? null : place(damage).segment,
      limits: numbers,
      nowMs: NOW_MS,
    };
  });

function sizeFrom(state: RetentionState, first: number): number {
  return state.segments.reduce((sum, { segment, sizeBytes }) => sum + (segment < first ? 0 : sizeBytes), 0);
}

describe("whatever the log, its replicas, its snapshots and the limits are", () => {
  test("no segment goes that a tracked replica, a kept snapshot or recovery needs, except past the stated limit, or for a damage", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const { firstToKeep, released } = decideRetention(state);
        const first = state.segments[0]!.segment;
        expect(firstToKeep).toBeGreaterThanOrEqual(first);
        expect(firstToKeep).toBeLessThanOrEqual(state.segments.at(-1)!.segment);
        if (firstToKeep === first) return;
        const newest = Math.max(...state.snapshots.map(({ cursor }) => cursor.segment));
        // Never, whatever the limit.
        for (const segment of [newest, state.recovery.segment])
          if (segment >= first) expect(firstToKeep).toBeLessThanOrEqual(segment);
        const maxBytes = state.limits.maxBytes ?? Number.POSITIVE_INFINITY;
        const needs = [
          ...state.snapshots.map(({ cursor }) => cursor.segment),
          ...state.replicas
            .filter(({ id }) => !released.includes(id))
            .map(({ received }) => received.segment),
        ];
        for (const segment of needs)
          if (segment >= first && segment < firstToKeep && segment > (state.damagedThrough ?? 0))
            expect(sizeFrom(state, segment)).toBeGreaterThan(maxBytes);
        const gone = firstToKeep - 1;
        if (sizeFrom(state, gone) > maxBytes || gone <= (state.damagedThrough ?? 0)) return;
        expect(sizeFrom(state, firstToKeep)).toBeGreaterThanOrEqual(state.limits.keepBytes);
        const { modifiedMs } = state.segments.find(({ segment }) => segment === gone)!;
        expect(NOW_MS - modifiedMs).toBeGreaterThanOrEqual(state.limits.keepMs);
      }),
      { numRuns: 2000 },
    );
  });

  test("lost are exactly those whose segment goes or is gone, and nobody is lost within the limit but by a damage", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const { firstToKeep, lost, released } = decideRetention(state);
        const held = state.replicas.filter(({ id }) => !released.includes(id));
        expect(lost).toEqual(
          held.filter(({ received }) => received.segment < firstToKeep).map(({ id }) => id),
        );
        const first = state.segments[0]!.segment;
        const isWithin = sizeFrom(state, first) <= (state.limits.maxBytes ?? Number.POSITIVE_INFINITY);
        const newlyLost = held.filter(({ id, received }) => lost.includes(id) && received.segment >= first);
        const damaged = state.damagedThrough ?? 0;
        if (isWithin) expect(newlyLost.filter(({ received }) => received.segment > damaged)).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  test("released are exactly those that were away for as long as is stated", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const due = state.replicas.filter(
          ({ inactiveSinceMs }) =>
            inactiveSinceMs !== null && NOW_MS - inactiveSinceMs >= state.limits.holdInactiveMs,
        );
        expect(decideRetention(state).released).toEqual(due.map(({ id }) => id));
      }),
    );
  });

  test("what is kept is past the limit, or damaged, only for the newest snapshot or recovery, which are then due", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const { firstToKeep, heldPastLimitBy } = decideRetention(state);
        const isNewest = firstToKeep === state.segments.at(-1)!.segment;
        const isPast = sizeFrom(state, firstToKeep) > (state.limits.maxBytes ?? Number.POSITIVE_INFINITY);
        const isDamaged = firstToKeep <= (state.damagedThrough ?? 0);
        expect(heldPastLimitBy !== null).toBe((isPast || isDamaged) && !isNewest);
      }),
      { numRuns: 1000 },
    );
  });

  test("who moves on, and time that passes, never bring more of the log to be kept; applying it twice changes nothing", () => {
    fc.assert(
      fc.property(anyState, fc.nat(100), fc.nat(5), (state, laterMs, steps) => {
        const before = decideRetention(state);
        const end = state.segments.at(-1)!.segment;
        const later = decideRetention({
          ...state,
          nowMs: state.nowMs + laterMs,
          replicas: state.replicas.map((each) => ({
            ...each,
            received: { segment: Math.min(end, each.received.segment + steps), offset: 0 },
          })),
        });
        const first = state.segments[0]!.segment;
        // But for those who had lost their place, and come back into the log, or got on just before they would have.
        const hasAll = state.replicas.every(({ received }) => received.segment >= first);
        if (hasAll && before.lost.length === 0)
          expect(later.firstToKeep).toBeGreaterThanOrEqual(before.firstToKeep);
        const left = state.segments.filter(({ segment }) => segment >= before.firstToKeep);
        expect(decideRetention({ ...state, segments: left }).firstToKeep).toBe(before.firstToKeep);
      }),
      { numRuns: 1000 },
    );
  });

  test("the first segment that is kept has a reason", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        const { firstToKeep } = decideRetention(state);
        const index = state.segments.findIndex(({ segment }) => segment === firstToKeep);
        if (state.snapshots.length === 0 || index === state.segments.length - 1) return;
        expect(reasonsToKeep(state)[index]).not.toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });
});
