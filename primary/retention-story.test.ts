import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Notice } from "../shared/notice.ts";
import type { RetentionLimits } from "../shared/plan/retention.ts";
import type { ReplicaStatus } from "../shared/status.ts";
import { ReplicaTracker } from "../shared/tracking/replica-tracker.ts";
import type { Cursor } from "../shared/units.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { SmallDisk } from "../test/harness/small-disk.ts";
import { Retention } from "./retention.ts";
import type { RetainedLog } from "./retention.ts";

/* Replicas come, go, and fall behind, over days of simulated time. The log is made up; the tracking is on disk. */

const MIB = 1 << 20;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const LOG_ID = "0".repeat(32);
const LIMITS: RetentionLimits = {
  keepBytes: 2 * MIB,
  keepMs: 0,
  maxBytes: 20 * MIB,
  holdInactiveMs: 24 * HOUR_MS,
};

/** Segments of 1 MiB: transaction n ends where n MiB of log end. */
class MadeUpLog implements RetainedLog {
  logId = LOG_ID;
  start: Cursor = { segment: 1, offset: 0 };
  end: Cursor = { segment: 1, offset: 0 };
  headTxid = 0;
  headCommitTimeMs: number | null = null;

  commit(nowMs: number): void {
    this.headTxid += 1;
    this.headCommitTimeMs = nowMs;
    this.end = { segment: this.headTxid + 1, offset: 0 };
  }

  seal(): void {
    if (this.failure !== undefined) throw this.failure;
    this.end = { segment: this.end.segment + 1, offset: 0 };
  }

  /** What removing a segment, or beginning one, meets. */
  failure: Error | undefined;

  dropBefore(segment: number): void {
    if (this.failure !== undefined) throw this.failure;
    this.start = { segment, offset: 0 };
  }
}

class Story {
  readonly file: string;
  readonly log: MadeUpLog = new MadeUpLog();
  readonly notices: Notice[] = [];
  nowMs = 1_800_000_000_000;
  snapshot: Cursor | undefined = { segment: 1, offset: 0 };
  generation = 1;
  limits: RetentionLimits = LIMITS;
  /** Where the log ends after a segment was sealed for its damage. */
  readonly ends: Cursor[] = [];
  tracker!: ReplicaTracker;
  retention!: Retention;

  constructor(changes: Partial<RetentionLimits> = {}, folder: string = temporaryFolder()) {
    this.file = join(folder, "replicas.json");
    this.limits = { ...LIMITS, ...changes };
    this.open();
  }

  open(): void {
    const clock = (): number => this.nowMs;
    const notify = (notice: Notice): void => void this.notices.push(notice);
    this.tracker = ReplicaTracker.open({ file: this.file, clock, notify });
    this.retention = new Retention({
      log: this.log,
      folder: "",
      tracker: this.tracker,
      limits: this.limits,
      snapshots: () =>
        this.snapshot === undefined ? [] : [{ generation: this.generation, cursor: this.snapshot }],
      recovery: () => this.log.end,
      clock,
      notify,
      onSealed: () => this.ends.push(this.log.end),
      stat: () => ({ sizeBytes: MIB, modifiedMs: this.nowMs }),
    });
  }

  /** Commits 1 MiB, and makes a snapshot that holds nothing. */
  commit(count = 1): void {
    for (let i = 0; i < count; i++) {
      this.log.commit(this.nowMs);
      this.retention.headChanged();
    }
    this.snapshot = this.log.end;
  }

  /** A replica asks from there on; it has applied all before. */
  sees(id: string, txid: number = this.log.headTxid, isAsking = true): void {
    const received = { segment: txid + 1, offset: 0 };
    const sighting = { id, address: "10.0.0.7", received, sent: received, appliedTxid: txid };
    this.retention.report([{ ...sighting, lastSeenMs: this.nowMs, isAsking }]);
  }

  /** A replica that has asked twice: it follows. */
  follows(id: string): void {
    this.sees(id);
    this.pass(SECOND_MS);
    this.sees(id);
  }

  goesAway(id: string): void {
    const { appliedTxid } = this.replica(id)!;
    this.sees(id, appliedTxid!, false);
  }

  /** Time passes, with an upkeep now and then. */
  pass(ms: number): void {
    const steps = Math.min(20, Math.ceil(ms / SECOND_MS));
    for (let step = 0; step < steps; step++) {
      this.nowMs += ms / steps;
      this.retention.upkeep();
    }
  }

  replica(id: string): ReplicaStatus | undefined {
    return this.retention.replicas().find((replica) => replica.id === id);
  }

  /** What was said since the last time, without the details of trimming. */
  said(): string[] {
    const said = this.notices.filter(({ level }) => level !== "debug").map(({ name }) => name);
    this.notices.length = 0;
    return said;
  }
}

describe("a replica that stops asking", () => {
  test("goes inactive, its log is held for the stated time, and then it is released, though nobody commits", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    expect(story.said()).toEqual(["replica_seen"]);
    story.goesAway("edge-1");
    const lastSeenMs = story.nowMs;
    story.pass(10 * SECOND_MS);
    expect(story.said()).toEqual([]);
    expect(story.replica("edge-1")).toMatchObject({ state: "streaming", inactiveSinceMs: null });
    story.pass(SECOND_MS);
    expect(story.notices).toMatchObject([
      {
        name: "replica_inactive",
        level: "warn",
        text: expect.stringContaining("its log is held for another 1 d"),
      },
    ]);
    expect(story.said()).toEqual(["replica_inactive"]);

    story.commit(10);
    story.pass(23 * HOUR_MS);
    expect(story.log.start.segment).toBe(4);
    expect(story.replica("edge-1")).toMatchObject({
      state: "inactive",
      inactiveSinceMs: lastSeenMs,
      releaseAtMs: lastSeenMs + 24 * HOUR_MS,
      retention: "extended",
      lagTransactions: 10,
      lagBytes: 10 * MIB,
      lagSeconds: 23 * 3600,
    });
    expect(story.retention.segments()[0]!.keptFor).toEqual(["replica edge-1"]);

    story.pass(HOUR_MS);
    expect(story.said()).toEqual(["replica_released"]);
    expect(story.replica("edge-1")).toBeUndefined();
    expect(story.tracker.releasedCount).toBe(1);
    // The least size is what is left.
    expect(story.log.start.segment).toBe(12);
  });

  test("and comes back in time goes on where it was", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    story.goesAway("edge-1");
    story.pass(HOUR_MS);
    story.commit(1);
    story.pass(MINUTE_MS);
    story.sees("edge-1", 3);
    expect(story.said()).toEqual(["replica_seen", "replica_inactive", "replica_back"]);
    expect(story.replica("edge-1")).toMatchObject({ state: "catching_up", releaseAtMs: null, timesLost: 0 });
    story.pass(SECOND_MS);
    story.sees("edge-1");
    expect(story.replica("edge-1")).toMatchObject({ state: "streaming", lagSeconds: 0, lagBytes: 0 });
  });
});

test("a replica whose end nobody could tell, because the serving thread has died, goes inactive all the same", () => {
  const story = new Story();
  story.commit(3);
  story.follows("edge-1");
  story.pass(2 * MINUTE_MS);
  expect(story.replica("edge-1")).toMatchObject({ state: "streaming", lastSeenMs: story.nowMs });
  story.pass(2 * MINUTE_MS);
  expect(story.replica("edge-1")!.state).toBe("inactive");
  story.pass(25 * HOUR_MS);
  expect(story.said()).toEqual(["replica_seen", "replica_inactive", "replica_released"]);
});

test("a clock that is set back by a month makes nobody present for so much longer", () => {
  const story = new Story({ maxBytes: null });
  story.commit(3);
  story.follows("edge-1");
  story.goesAway("edge-1");
  story.nowMs -= 30 * 24 * HOUR_MS;
  story.pass(MINUTE_MS);
  expect(story.replica("edge-1")!.state).toBe("inactive");
  story.commit(10);
  story.pass(24 * HOUR_MS);
  expect(story.said()).toEqual(["replica_seen", "replica_inactive", "replica_released"]);
  expect(story.log.start.segment).toBe(12);
});

describe("past the limit of the log", () => {
  test("the slowest replica is announced as endangered, then lost by name; it comes back, and it is remembered", () => {
    const story = new Story();
    story.commit(3);
    story.follows("slow");
    story.follows("fast");
    story.said();
    story.goesAway("slow");
    const stages: string[] = [];
    for (let round = 0; stages.at(-1) !== "lost"; round++) {
      expect(round).toBeLessThan(30);
      story.commit();
      story.pass(MINUTE_MS);
      story.sees("fast");
      const { retention } = story.replica("slow")!;
      if (retention !== stages.at(-1)) stages.push(retention);
      if (retention === "endangered" && round < 17) {
        // At a megabyte a minute there is a quarter of an hour left.
        expect(story.replica("slow")!.secondsUntilLost).toBeGreaterThan(120);
        expect(story.replica("slow")!.secondsUntilLost).toBeLessThan(3600);
      }
    }
    expect(stages).toEqual(["reserved", "endangered", "lost"]);
    const [endangered, lost] = ["replica_endangered", "replica_lost"].map((name) =>
      story.notices.find((notice) => notice.name === name),
    );
    expect(endangered!.text).toMatch(
      /^replica slow will be lost in \d+ MiB of log: about \d+ min .*at the present rate$/,
    );
    expect(endangered!.fields).toMatchObject({ id: "slow", bytesUntilLost: expect.any(Number) });
    expect(lost).toMatchObject({ level: "error", fields: { id: "slow", maxBytes: 20 * MIB, timesLost: 1 } });
    expect(story.said()).toEqual(["replica_inactive", "replica_endangered", "replica_lost"]);
    expect(story.replica("slow")).toMatchObject({
      state: "lost",
      timesLost: 1,
      lagBytes: null,
      bytesUntilLost: null,
      lostAtMs: expect.any(Number),
    });
    expect(story.replica("fast")).toMatchObject({ state: "streaming", retention: "reserved", timesLost: 0 });
    expect(story.retention.status().sizeBytes).toBeLessThanOrEqual(20 * MIB);
    expect(story.tracker.lostCount).toBe(1);

    // It asks for what is gone, is told so, resyncs, and has a place again.
    story.sees("slow", 3);
    expect(story.replica("slow")!.state).toBe("lost");
    story.pass(SECOND_MS);
    story.sees("slow");
    expect(story.replica("slow")).toMatchObject({
      state: "streaming",
      retention: "reserved",
      timesLost: 1,
      lostAtMs: null,
      lagBytes: 0,
    });
    expect(story.said()).toEqual(["replica_back"]);
  });

  test("a replica that was heard of just now has its last word before it is given up", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    story.commit(30);
    // By what is known it stands at 3; it is just about to say that it is at 30.
    story.pass(2 * SECOND_MS);
    expect(story.replica("edge-1")).toMatchObject({ retention: "endangered", bytesUntilLost: 0 });
    story.sees("edge-1", 30);
    story.pass(10 * SECOND_MS);
    expect(story.replica("edge-1")).toMatchObject({ state: "catching_up", timesLost: 0 });
    expect(story.said()).not.toContain("replica_lost");
  });

  test("a replica that is outrun between two looks, or by a lower limit, is announced and shown before it is lost", () => {
    const story = new Story();
    story.commit(3);
    story.follows("burst");
    story.goesAway("burst");
    story.pass(MINUTE_MS);
    story.commit(30);
    story.said();
    story.pass(SECOND_MS);
    expect(story.replica("burst")).toMatchObject({ retention: "endangered", bytesUntilLost: 0 });
    expect(story.said()).toEqual(["replica_endangered"]);
    story.pass(5 * SECOND_MS);
    expect(story.replica("burst")!.state).toBe("lost");
    expect(story.said()).toEqual(["replica_lost"]);
    expect(story.retention.status().sizeBytes).toBeLessThanOrEqual(20 * MIB);

    story.follows("limit");
    story.goesAway("limit");
    story.pass(MINUTE_MS);
    story.commit(10);
    story.said();
    story.retention.limits = { ...LIMITS, maxBytes: 5 * MIB };
    story.pass(SECOND_MS);
    expect(story.replica("limit")).toMatchObject({ retention: "endangered", bytesUntilLost: 0 });
    expect(story.said()).toEqual(["replica_endangered"]);
    story.pass(5 * SECOND_MS);
    expect(story.said()).toEqual(["replica_lost"]);
  });

  test("though there is always another who was not announced yet, the log is cut within seconds; each is announced", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-0");
    story.commit(40);
    const { segment } = story.log.start;
    for (let id = 1; id <= 6; id++) {
      // From as early on as there is log, and from further on: it follows.
      for (const txid of [segment, segment + 1]) story.sees(`edge-${id}`, txid);
      story.pass(SECOND_MS);
    }
    expect(story.log.start.segment).toBeGreaterThan(segment);
    const named = (name: string): unknown[] =>
      story.notices.filter((notice) => notice.name === name).map(({ fields }) => fields["id"]);
    expect(named("replica_lost").length).toBeGreaterThan(1);
    expect(named("replica_endangered")).toEqual(expect.arrayContaining(named("replica_lost")));
  });

  test("where its log cannot be removed it is lost once, and not back for asking from where it stood", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    story.goesAway("edge-1");
    story.commit(30);
    story.pass(SECOND_MS);
    story.said();
    story.log.failure = new Error("EROFS");
    const keepOn = (): void => expect(() => story.retention.upkeep()).toThrow("EROFS");
    story.nowMs += 10 * SECOND_MS;
    for (let round = 0; round < 10; round++) {
      keepOn();
      story.nowMs += SECOND_MS;
      story.sees("edge-1", 3);
    }
    expect(story.said().filter((name) => !name.includes("inactive"))).toEqual(["replica_lost"]);
    expect(story.replica("edge-1")).toMatchObject({ state: "lost", timesLost: 1 });
    // There is log enough for it to get past what goes.
    story.sees("edge-1", 32);
    expect(story.said()).toEqual(["replica_back"]);
    story.log.failure = undefined;
    story.pass(10 * SECOND_MS);
    expect(story.replica("edge-1")).toMatchObject({ state: "catching_up", timesLost: 1 });
  });

  test("without a limit the log grows for as long as the replica is held", () => {
    const story = new Story({ maxBytes: null });
    story.commit(3);
    story.follows("edge-1");
    story.goesAway("edge-1");
    story.commit(1000);
    story.pass(HOUR_MS);
    expect(story.replica("edge-1")).toMatchObject({ retention: "extended", bytesUntilLost: null });
    expect(story.log.start.segment).toBe(4);
  });

  test("a limit that is raised while it runs takes a replica out of danger; one that is lost stays so", () => {
    const story = new Story();
    story.commit(3);
    story.follows("near");
    story.follows("gone");
    for (const id of ["near", "gone"]) story.goesAway(id);
    story.commit(16);
    story.pass(MINUTE_MS);
    expect(story.replica("near")).toMatchObject({ retention: "endangered" });
    story.sees("near", 18, false);
    story.commit(7);
    story.pass(MINUTE_MS);
    expect(story.replica("gone")!.state).toBe("lost");
    story.commit(8);
    story.pass(MINUTE_MS);
    story.said();
    expect(story.replica("near")).toMatchObject({ retention: "endangered", timesLost: 0 });
    story.retention.limits = { ...LIMITS, maxBytes: 1000 * MIB };
    story.pass(10 * MINUTE_MS);
    expect(story.replica("near")).toMatchObject({ retention: "extended" });
    story.retention.limits = { ...LIMITS, maxBytes: null };
    story.pass(MINUTE_MS);
    expect(story.replica("near")).toMatchObject({ retention: "extended", bytesUntilLost: null });
    expect(story.replica("gone")).toMatchObject({ state: "lost", timesLost: 1 });
    expect(story.said()).toEqual(["replica_safe"]);
  });

  test("the limits can be changed while it runs", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    story.goesAway("edge-1");
    story.commit(10);
    story.pass(MINUTE_MS);
    expect(story.log.start.segment).toBe(4);
    story.retention.limits = { ...LIMITS, maxBytes: 5 * MIB };
    story.pass(5 * SECOND_MS);
    expect(story.replica("edge-1")!.state).toBe("lost");
    expect(story.retention.status()).toMatchObject({ maxBytes: 5 * MIB, segmentCount: 3 });
  });
});

describe("a log that is damaged", () => {
  test("is given up to there: who needs it is lost by name, who is past it is not, and it is no longer called damaged", () => {
    const story = new Story();
    story.commit(3);
    story.follows("behind");
    story.goesAway("behind");
    story.commit(3);
    story.follows("past");
    story.goesAway("past");
    story.commit(1);
    story.said();
    story.retention.giveUpThrough(5);
    // Once more, and of an earlier one: nothing new.
    story.retention.giveUpThrough(5);
    story.retention.giveUpThrough(2);
    expect(story.retention.status().damagedThrough).toBe(5);
    story.pass(10 * SECOND_MS);
    expect(story.notices.at(-2)).toMatchObject({ text: expect.stringContaining("because it is damaged") });
    expect(story.said()).toEqual(["log_given_up", "replica_endangered", "replica_lost"]);
    expect(story.replica("behind")).toMatchObject({ state: "lost", timesLost: 1 });
    expect(story.replica("past")).toMatchObject({ timesLost: 0, state: "catching_up" });
    // What the other holds begins with segment 7; by the least size 6 stays as well.
    expect(story.log.start.segment).toBe(6);
    expect(story.retention.status().damagedThrough).toBe(null);
    story.retention.giveUpThrough(4);
    expect(story.said()).toEqual([]);
  });

  test("stays until there is a snapshot after it, which is due: nobody is lost before", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    story.goesAway("edge-1");
    story.commit(4);
    story.said();
    story.snapshot = { segment: 2, offset: 0 };
    story.retention.giveUpThrough(5);
    story.pass(MINUTE_MS);
    expect(story.said()).toEqual(["log_given_up", "replica_inactive"]);
    expect(story.retention.needsSnapshot).toBe(true);
    expect(story.log.start.segment).toBe(2);
    // A newcomer is not given what leads into it.
    expect(story.retention.bytesAfter({ segment: 2, offset: 0 })).toBe(null);
    // Once it is there, it is not due once more until the next look at the log.
    story.generation += 1;
    story.commit(1);
    expect(story.retention.needsSnapshot).toBe(false);
    story.pass(5 * SECOND_MS);
    expect(story.said()).toEqual(["replica_endangered", "replica_lost"]);
    expect(story.retention.needsSnapshot).toBe(false);
    expect(story.log.start.segment).toBe(7);
  });

  test("in its newest segment has that sealed; who begins at its very end asks for it, so it stays until there is a snapshot after it", () => {
    const story = new Story({ keepBytes: 0 });
    story.commit(3);
    const end = { segment: 4, offset: MIB };
    story.log.end = end;
    story.snapshot = end;
    story.log.failure = new Error("the disk is full");
    story.retention.giveUpThrough(4);
    expect(() => story.retention.upkeep()).toThrow("the disk is full");
    expect(story.ends).toEqual([]);
    story.log.failure = undefined;
    story.pass(2 * SECOND_MS);
    expect(story.ends).toEqual([{ segment: 5, offset: 0 }]);
    expect(story.log.start.segment).toBe(4);
    expect(story.retention.needsSnapshot).toBe(true);
    story.snapshot = { segment: 5, offset: 0 };
    story.pass(2 * SECOND_MS);
    expect(story.log.start.segment).toBe(5);
  });
});

test("a replica that is forgotten holds nothing from that moment on", () => {
  const story = new Story();
  story.commit(3);
  story.follows("edge-1");
  story.goesAway("edge-1");
  story.commit(10);
  story.pass(MINUTE_MS);
  expect(story.retention.forget("edge-1")).toMatchObject({ id: "edge-1", lagTransactions: 10 });
  expect(() => story.retention.forget("edge-1")).toThrow(
    expect.objectContaining({ code: "replica_unknown", hint: expect.stringContaining("replicas") }),
  );
  story.pass(SECOND_MS);
  expect(story.log.start.segment).toBe(12);
  expect(story.said()).toContain("replica_forgotten");
  expect(readFileSync(story.file, "utf8")).not.toContain("edge-1");
});

describe("a restart of the primary", () => {
  test("while a replica is away: it is known, its log is held, and its lag in seconds goes on", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    story.goesAway("edge-1");
    const lastSeenMs = story.nowMs;
    story.pass(HOUR_MS);
    story.commit(4);
    story.pass(HOUR_MS);
    story.tracker.close();
    // A week in which nobody could have been seen: that does not count.
    const downMs = 7 * 24 * HOUR_MS;
    story.nowMs += downMs;
    story.said();
    story.open();
    expect(story.replica("edge-1")).toMatchObject({
      state: "inactive",
      lagTransactions: 4,
      lagSeconds: (HOUR_MS + downMs) / 1000,
      releaseAtMs: lastSeenMs + downMs + 24 * HOUR_MS,
    });
    story.commit(5);
    story.pass(21 * HOUR_MS);
    expect(story.log.start.segment).toBe(4);
    expect(story.said()).toEqual([]);
    story.pass(HOUR_MS);
    expect(story.said()).toEqual(["replica_released"]);
  });

  test("that dies knows each replica that follows, no further on than it is", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    story.commit(3);
    story.pass(SECOND_MS);
    story.sees("edge-1", 6);
    // Killed: nothing is closed.
    story.open();
    const { received } = story.replica("edge-1")!;
    expect(received.segment).toBeGreaterThanOrEqual(4);
    expect(received.segment).toBeLessThanOrEqual(7);
    expect(story.replica("edge-1")!.state).not.toBe("lost");
  });

  test("what is dropped was not needed by what is on disk: nobody seems lost after a crash", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    for (let txid = 4; txid < 60; txid++) {
      story.commit();
      story.sees("edge-1", txid);
      story.pass(SECOND_MS);
      const { replicas } = JSON.parse(readFileSync(story.file, "utf8")) as {
        replicas: { received: Cursor; lostAtMs: number | null }[];
      };
      expect(replicas[0]!.received.segment).toBeGreaterThanOrEqual(story.log.start.segment);
      expect(replicas[0]!.lostAtMs).toBeNull();
    }
    expect(story.log.start.segment).toBeGreaterThan(50);
  });

  test("into a new history: places in the old one hold nothing, and replicas are shown as they come back", () => {
    const story = new Story();
    story.commit(3);
    story.follows("edge-1");
    story.follows("edge-2");
    story.tracker.close();
    story.said();
    Object.assign(story.log, new MadeUpLog(), { logId: "1".repeat(32) });
    story.open();
    story.commit(10);
    story.pass(SECOND_MS);
    expect(story.retention.replicas()).toEqual([]);
    expect(story.log.start.segment).toBe(9);
    story.sees("edge-1");
    expect(story.replica("edge-1")).toMatchObject({ state: "streaming", timesLost: 0 });
    // The other is forgotten in the end.
    story.pass(25 * HOUR_MS);
    story.tracker.close();
    expect(readFileSync(story.file, "utf8")).not.toContain("edge-2");
  });
});

test("while what is known cannot be written down, nothing goes; it is said once, and done when it can", () => {
  const story = new Story();
  const good = story.file;
  Object.assign(story, { file: join(temporaryFolder(), "no-such-folder", "replicas.json") });
  story.open();
  story.commit(3);
  story.follows("edge-1");
  const { start } = story.log;
  story.commit(30);
  story.sees("edge-1");
  story.pass(MINUTE_MS);
  expect(story.log.start).toEqual(start);
  // Whoever is past the limit has lost nothing yet.
  story.sees("edge-1", 3, false);
  story.pass(10 * SECOND_MS);
  expect(story.replica("edge-1")).toMatchObject({ retention: "endangered", bytesUntilLost: 0 });
  const said = story.said();
  expect(said.filter((name) => name === "tracking_unwritten")).toHaveLength(1);
  expect(said).not.toContain("replica_lost");
  Object.assign(story, { file: good });
  story.open();
  story.pass(SECOND_MS);
  expect(story.log.start.segment).toBeGreaterThan(30);
});

test.skipIf(!SmallDisk.isAllowed)(
  "on a full disk the log is cut though what is known cannot be written down; after a crash nobody is lost by that",
  () => {
    const disk = new SmallDisk(1 << 20);
    onTestFinished(() => disk.remove());
    const story = new Story({}, disk.path);
    story.commit(3);
    story.follows("edge-1");
    disk.fill();
    const before = readFileSync(story.file, "utf8");
    story.commit(30);
    story.sees("edge-1");
    story.pass(MINUTE_MS);
    expect(story.log.start.segment).toBe(32);
    expect(readFileSync(story.file, "utf8")).toBe(before);
    expect(story.said().filter((name) => name === "tracking_unwritten")).toHaveLength(1);
    // Killed: by what is on disk its place is gone.
    story.open();
    story.pass(5 * SECOND_MS);
    story.sees("edge-1");
    story.pass(MINUTE_MS);
    expect(story.replica("edge-1")).toMatchObject({ state: "streaming", timesLost: 0 });
    expect(story.said()).not.toContain("replica_lost");
    disk.free();
    story.commit();
    story.sees("edge-1");
    story.pass(SECOND_MS);
    expect(readFileSync(story.file, "utf8")).toContain('"received":{"segment":35');
  },
);
