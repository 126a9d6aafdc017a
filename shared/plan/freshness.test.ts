import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { Freshness, POLL_GRACE_MS } from "./freshness.ts";

const POLL_MS = 10_000;
/** The primary's clock when the monotonic clock of the replica says 0. */
const PRIMARY_MS = 1_800_000_000_000;

let freshness: Freshness;
beforeEach(() => {
  freshness = new Freshness();
});

/** An answer of a primary whose clock is right. */
function heard(
  atMs: number,
  headTxid: number,
  change: { ageMs?: number | null; primaryTimeMs?: number | null } = {},
) {
  freshness.heard({ atMs, headTxid, primaryTimeMs: PRIMARY_MS + atMs, ageMs: 0, ...change });
}
const seconds = (nowMs: number): number | null => freshness.lag(nowMs).seconds;

describe("a replica", () => {
  test("that has heard nothing yet does not know how old it is", () => {
    expect(freshness.lag(1000)).toEqual({ seconds: null, freshAsOfMs: null });
    freshness.applied(5, PRIMARY_MS - 60_000);
    expect(freshness.lag(1000)).toEqual({ seconds: null, freshAsOfMs: null });
  });

  test("that has all and whose request is held is fresh at every moment", () => {
    freshness.applied(5, PRIMARY_MS);
    heard(1000, 5);
    freshness.asked(1001, POLL_MS);
    expect(freshness.lag(1001)).toEqual({ seconds: 0, freshAsOfMs: PRIMARY_MS + 1001 });
    expect(freshness.lag(9000)).toEqual({ seconds: 0, freshAsOfMs: PRIMARY_MS + 9000 });
    heard(11_001, 5);
    freshness.asked(11_002, POLL_MS);
    expect(seconds(20_000)).toBe(0);
  });

  test("whose primary hangs counts from the last answer once the request has overrun", () => {
    freshness.applied(5, PRIMARY_MS);
    heard(1000, 5);
    freshness.asked(1000, POLL_MS);
    const overrunMs = 1000 + POLL_MS + POLL_GRACE_MS;
    expect(seconds(overrunMs)).toBe(0);
    expect(seconds(overrunMs + 1)).toBe((overrunMs + 1 - 1000) / 1000);
    expect(freshness.lag(61_000)).toEqual({ seconds: 60, freshAsOfMs: PRIMARY_MS + 1000 });
  });

  test("whose primary cannot be reached counts from the last answer at once, through every try", () => {
    freshness.applied(5, PRIMARY_MS);
    heard(1000, 5);
    freshness.asked(1000, POLL_MS);
    freshness.failed();
    expect(seconds(4000)).toBe(3);
    // It may hang as well as hold this request.
    freshness.asked(5000, POLL_MS);
    expect(seconds(6000)).toBe(5);
    freshness.failed();
    expect(seconds(31_000)).toBe(30);
    heard(32_000, 5);
    expect(seconds(32_000)).toBe(0);
  });

  test("whose own applier is stuck is as old as the newest answer that it has caught up with", () => {
    freshness.applied(5, PRIMARY_MS);
    heard(1000, 5);
    heard(2000, 6);
    heard(3000, 7);
    freshness.asked(3000, POLL_MS);
    expect(seconds(8000)).toBe(7);
    freshness.applied(6, null);
    expect(freshness.lag(8000)).toEqual({ seconds: 6, freshAsOfMs: PRIMARY_MS + 2000 });
    freshness.applied(7, null);
    expect(seconds(8000)).toBe(0);
  });

  test("that applies a backlog is at least as fresh as the commit it has reached", () => {
    freshness.applied(5, PRIMARY_MS - 3_600_000);
    heard(1000, 900);
    expect(seconds(1000)).toBe(3601);
    freshness.applied(400, PRIMARY_MS - 60_000);
    expect(freshness.lag(2000)).toEqual({ seconds: 62, freshAsOfMs: PRIMARY_MS - 60_000 });
    freshness.applied(900, PRIMARY_MS - 50_000);
    expect(freshness.lag(2000)).toEqual({ seconds: 0, freshAsOfMs: PRIMARY_MS + 2000 });
    freshness.failed();
    expect(freshness.lag(2000)).toEqual({ seconds: 1, freshAsOfMs: PRIMARY_MS + 1000 });
  });

  test("that was stopped for an hour does not believe the request that it had open", () => {
    freshness.applied(5, PRIMARY_MS);
    heard(1000, 5);
    freshness.asked(1000, POLL_MS);
    expect(seconds(3_601_000)).toBe(3600);
    heard(3_601_000, 9);
    expect(seconds(3_601_000)).toBe(3600);
    freshness.applied(9, PRIMARY_MS + 3_600_900);
    expect(seconds(3_601_000)).toBe(0);
  });

  test("that was stopped for an hour does not take the answer that lay about for one of now", () => {
    freshness.applied(5, PRIMARY_MS);
    heard(1000, 5);
    freshness.asked(1000, POLL_MS);
    // Given at 2000, with a commit of then; read an hour later. The primary cannot be reached any more.
    heard(3_601_000, 6, { primaryTimeMs: PRIMARY_MS + 2000 });
    freshness.applied(6, PRIMARY_MS + 1900);
    freshness.asked(3_601_000, 0);
    expect(freshness.lag(3_601_000)).toEqual({ seconds: 3599, freshAsOfMs: PRIMARY_MS + 2000 });
    freshness.failed();
    expect(freshness.lag(3_602_000)).toEqual({ seconds: 3600, freshAsOfMs: PRIMARY_MS + 2000 });
    heard(3_603_000, 6);
    expect(freshness.lag(3_603_000)).toEqual({ seconds: 0, freshAsOfMs: PRIMARY_MS + 3_603_000 });
  });

  test("takes a late answer for given when it was asked for at the earliest, whatever clock or cache says", () => {
    freshness.applied(5, PRIMARY_MS);
    heard(1000, 5);
    for (const primaryTimeMs of [null, PRIMARY_MS - 3_600_000]) {
      freshness.asked(2000, POLL_MS);
      heard(62_000, 5, { primaryTimeMs });
      expect(seconds(62_000)).toBe(60);
      heard(1000, 5);
    }
    // One that took a while to come about is of now.
    freshness.asked(2000, POLL_MS);
    heard(62_000, 5);
    expect(seconds(62_000)).toBe(0);
  });

  test("of a primary whose clock is set back or forward shows other moments, and the same age", () => {
    freshness.applied(5, PRIMARY_MS);
    heard(1000, 5);
    for (const stepMs of [-3_600_000, 3_600_000, -1e12]) {
      heard(2000, 6, { primaryTimeMs: PRIMARY_MS + 2000 + stepMs });
      freshness.asked(2000, POLL_MS);
      // Transaction 6 is not applied: the answer at 1000 is what is known.
      expect(freshness.lag(5000)).toEqual({ seconds: 4, freshAsOfMs: PRIMARY_MS + 1000 + stepMs });
    }
  });

  test("of a node that does not tell the primary's clock still knows its age", () => {
    freshness.applied(5, PRIMARY_MS);
    heard(1000, 5, { primaryTimeMs: null });
    freshness.failed();
    expect(freshness.lag(3000)).toEqual({ seconds: 2, freshAsOfMs: null });
  });

  test("of a replica that has lost its primary is as old as that one", () => {
    freshness.applied(5, null);
    heard(1000, 5, { ageMs: 30_000 });
    freshness.asked(1000, POLL_MS);
    expect(freshness.lag(2000)).toEqual({ seconds: 31, freshAsOfMs: PRIMARY_MS - 29_000 });
  });

  test("of a replica that does not know how old its own state is does not know it either", () => {
    freshness.applied(5, null);
    heard(1000, 5, { ageMs: null, primaryTimeMs: null });
    freshness.asked(1000, POLL_MS);
    expect(freshness.lag(2000)).toEqual({ seconds: null, freshAsOfMs: null });
    heard(3000, 5);
    heard(4000, 5, { ageMs: null, primaryTimeMs: null });
    expect(seconds(5000)).toBe(2);
  });

  test("that had to step back in a resync does not pass for as fresh as it was", () => {
    freshness.applied(50, PRIMARY_MS);
    heard(1000, 50);
    freshness.applied(40, null);
    expect(seconds(2000)).toBeNull();
    heard(3000, 60);
    expect(seconds(3000)).toBeNull();
    freshness.applied(60, PRIMARY_MS + 2500);
    expect(seconds(3500)).toBe(0);
  });

  test("that goes over to another history forgets what it heard of the one before, but not the time", () => {
    freshness.applied(50, PRIMARY_MS);
    heard(1000, 60);
    freshness.forget();
    freshness.applied(70, null);
    expect(seconds(2000)).toBeNull();
    expect(freshness.primaryNowMs(2000)).toBe(PRIMARY_MS + 2000);
  });
});

/*
 * A primary that commits, a replica that asks and applies, a network that takes its time, tries that fail, clocks that
 * are set: whatever comes, in any order.
 */
const happening = fc.oneof(
  fc.record({ what: fc.constant("commit" as const) }),
  fc.record({ what: fc.constant("apply" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ what: fc.constant("answer" as const), backMs: fc.nat(500) }),
  fc.record({ what: fc.constant("fail" as const) }),
  fc.record({ what: fc.constant("wait" as const), ms: fc.nat(30_000) }),
  fc.record({ what: fc.constant("set" as const), byMs: fc.integer({ min: -1e9, max: 1e9 }) }),
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly freshness = new Freshness();
  nowMs = 0;
  hasCaughtUp = false;
  private clockMs = PRIMARY_MS;
  /** When each transaction was committed: by the world's time, and by the primary's clock. */
  private readonly commits = [{ atMs: 0, clockMs: PRIMARY_MS }];
  private known: number | undefined;
  private applied = 0;

  constructor() {
    this.freshness.applied(0, null);
  }

  do(event: Happening): void {
    if (event.what === "wait") this.pass(event.ms);
    if (event.what === "set") this.clockMs += event.byMs;
    if (event.what === "fail") this.freshness.failed();
    if (event.what === "commit") {
      this.pass(1);
      this.commits.push({ atMs: this.nowMs, clockMs: this.clockMs });
      this.answer(1);
    }
    if (event.what === "answer") this.answer(event.backMs);
    if (event.what === "apply") {
      if (this.known === undefined) return;
      this.applied += Math.floor((this.known - this.applied) * event.share);
      this.hasCaughtUp ||= this.applied === this.known;
      this.freshness.applied(this.applied, this.commits[this.applied]!.clockMs);
    }
  }

  /** Of what is applied. */
  get trueAgeMs(): number {
    const next = this.commits[this.applied + 1];
    return next === undefined ? 0 : this.nowMs - next.atMs;
  }

  private pass(ms: number): void {
    this.nowMs += ms;
    this.clockMs += ms;
  }

  private answer(backMs: number): void {
    const headTxid = this.commits.length - 1;
    const primaryTimeMs = this.clockMs;
    this.pass(backMs);
    this.freshness.heard({ atMs: this.nowMs, headTxid, primaryTimeMs, ageMs: 0 });
    this.known = headTxid;
    this.freshness.asked(this.nowMs, POLL_MS);
  }
}

describe("whatever happens", () => {
  test("an age is never negative, and once all was applied, never larger than the time since the beginning", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (events) => {
        const world = new World();
        for (const event of events) {
          world.do(event);
          const age = world.freshness.lag(world.nowMs).seconds;
          if (age === null) continue;
          expect(age).toBeGreaterThanOrEqual(0);
          if (world.hasCaughtUp) expect(age).toBeLessThanOrEqual(world.nowMs / 1000);
        }
      }),
    );
  });

  test("with clocks that nobody sets, an age is never too small by more than a held request and the way back", () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (events) => {
        const world = new World();
        for (const event of events) {
          if (event.what === "set") continue;
          world.do(event);
          const age = world.freshness.lag(world.nowMs).seconds;
          if (age !== null)
            expect(age * 1000).toBeGreaterThanOrEqual(world.trueAgeMs - POLL_MS - POLL_GRACE_MS - 500);
        }
      }),
    );
  });
});
