import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { TailraceError } from "../errors.ts";
import { SegmentCatalogue } from "../log/segment-catalogue.ts";
import type { Notice } from "../notice.ts";
import { UNKNOWN_REPLICAS } from "../plan/retention.ts";
import type { ReplicaStatus } from "../status.ts";
import type { Cursor } from "../units.ts";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { ReplicaTracker } from "./replica-tracker.ts";
import type { LogExtent } from "./log-extent.ts";

const LOG_ID = "a".repeat(32);
const END: Cursor = { segment: 9, offset: 500 };

/** A log from segment 3 to 9, of 1000 bytes each, at transaction 700. */
class Desk {
  readonly file: string = join(temporaryFolder(), "replicas.json");
  readonly notices: Notice[] = [];
  readonly extent: LogExtent;
  nowMs = 1_800_000_000_000;
  tracker: ReplicaTracker;

  constructor(maxReplicas?: number, file?: string) {
    if (file !== undefined) this.file = file;
    const catalogue = new SegmentCatalogue({
      folder: "",
      clock: () => this.nowMs,
      stat: () => ({ sizeBytes: 1000, modifiedMs: 0 }),
    });
    catalogue.update({ segment: 3, offset: 0 }, END);
    const limits = { keepBytes: 0, keepMs: 0, maxBytes: 1e6, holdInactiveMs: 3_600_000 };
    this.extent = { catalogue, limits, damagedThrough: null };
    this.tracker = ReplicaTracker.open({
      file: this.file,
      clock: () => this.nowMs,
      notify: (notice) => this.notices.push(notice),
      ...(maxReplicas === undefined ? {} : { maxReplicas }),
    });
    this.tracker.follow({
      logId: LOG_ID,
      headTxid: 700,
      headCommitTimeMs: this.nowMs,
      start: catalogue.start,
    });
    this.tracker.headChanged({ txid: 700, commitTimeMs: this.nowMs, end: END });
  }

  sees(id: string, received: Cursor, appliedTxid: number | null = 1, isAsking = true): void {
    const sighting = { id, address: null, received, sent: null, appliedTxid, isAsking };
    this.tracker.report([{ ...sighting, lastSeenMs: this.nowMs }], this.extent);
  }

  follows(id: string, segment: number): void {
    this.sees(id, { segment, offset: 0 });
    this.nowMs += 1000;
    this.sees(id, { segment, offset: 1 });
  }

  list(): ReplicaStatus[] {
    return this.tracker.list(this.extent);
  }

  named(name: string): Notice[] {
    return this.notices.filter((notice) => notice.name === name);
  }
}

test("who has a request open is seen now; whose request has ended was seen last at its end", () => {
  const desk = new Desk();
  desk.sees("edge", END, 700);
  desk.nowMs += 7_000;
  expect(desk.list()[0]).toMatchObject({ state: "streaming", lastSeenMs: desk.nowMs });
  desk.sees("edge", END, 700, false);
  const endedMs = desk.nowMs;
  desk.nowMs += 7_000;
  expect(desk.list()[0]).toMatchObject({ lastSeenMs: endedMs });
});

describe("what a replica claims", () => {
  test("a cursor beyond the end or before the start breaks nothing, and a state that does not exist is not believed", () => {
    const desk = new Desk();
    const far = { segment: Number.MAX_SAFE_INTEGER, offset: Number.MAX_SAFE_INTEGER };
    desk.sees("far", far, Number.MAX_SAFE_INTEGER);
    desk.sees("early", { segment: 1, offset: 0 }, 0);
    desk.sees("odd", { segment: 4, offset: 1e12 }, 3);
    expect(desk.list()).toMatchObject([
      { id: "early", state: "lost", timesLost: 0, lagBytes: null, lagTransactions: 700 },
      { id: "far", state: "streaming", received: END, lagBytes: 0, lagTransactions: null, lagSeconds: null },
      { id: "odd", lagBytes: 4500 },
    ]);
    desk.nowMs += 1000;
    desk.sees("far", far, Number.MAX_SAFE_INTEGER);
    desk.sees("early", { segment: 1, offset: 1 });
    expect(desk.tracker.held().map(({ received }) => received)).toEqual([END]);
  });

  test("an id alone holds no log, and leaves no trace: its owner has to come back for more, or wait at the end", () => {
    const desk = new Desk();
    desk.sees("stranger", { segment: 3, offset: 0 });
    desk.nowMs += 1000;
    desk.sees("stranger", { segment: 3, offset: 0 });
    desk.sees("stranger", { segment: 3, offset: 0 }, 1, false);
    desk.sees("newcomer", { segment: 5, offset: 0 });
    desk.sees("gone at once", END, 1, false);
    expect(desk.tracker.held()).toEqual([]);
    desk.sees("waiting", END);
    desk.sees("newcomer", { segment: 5, offset: 100 });
    expect(desk.tracker.held().map(({ id }) => id)).toEqual(["newcomer", "waiting"]);
    expect(desk.named("replica_seen")).toHaveLength(2);
    desk.nowMs += 61_000;
    desk.tracker.tick(desk.extent);
    expect(desk.list().map(({ id }) => id)).toEqual(["newcomer", "waiting"]);
    desk.tracker.close();
    expect(readFileSync(desk.file, "utf8")).not.toContain("stranger");
  });

  test("a flood of invented ids fills neither memory nor disk, and displaces nobody who follows", () => {
    const desk = new Desk(100);
    for (let replica = 0; replica < 50; replica++) desk.follows(`real-${replica}`, 4);
    desk.nowMs += 300;
    desk.tracker.tick(desk.extent);
    const size = readFileSync(desk.file).length;
    for (let id = 0; id < 20_000; id++) {
      desk.nowMs += 1;
      desk.sees(`invented-${id}`, { segment: 3, offset: 0 }, 1, false);
    }
    expect(desk.list()).toHaveLength(100);
    expect(desk.tracker.held()).toHaveLength(50);
    expect(desk.named("replica_displaced")).toEqual([]);
    // That some are not tracked is said once in a while, not each time.
    expect(desk.named("replicas_refused").length).toBeLessThanOrEqual(1);
    desk.tracker.close();
    expect(readFileSync(desk.file).length).toBeLessThan(2 * size);
  });

  test("past the most that are tracked, the longest silent goes and is named; one that asks never does", () => {
    const desk = new Desk(3);
    desk.follows("silent", 4);
    desk.sees("silent", { segment: 4, offset: 1 }, 1, false);
    desk.follows("asking-1", 4);
    desk.follows("asking-2", 4);
    desk.nowMs += 20_000;
    desk.follows("new", 5);
    expect(desk.list().map(({ id }) => id)).toEqual(["asking-1", "asking-2", "new"]);
    expect(desk.named("replica_displaced")).toMatchObject([{ fields: { id: "silent" } }]);
    desk.nowMs += 20_000;
    desk.follows("one too many", 5);
    expect(desk.list().map(({ id }) => id)).toEqual(["asking-1", "asking-2", "new"]);
    expect(desk.named("replicas_refused")).toHaveLength(1);
  });

  test("two processes with one id are noticed, once, and the log is held for the one that is behind", () => {
    const desk = new Desk();
    desk.follows("twin", 4);
    for (let turn = 0; turn < 6; turn++) {
      desk.nowMs += 5000;
      desk.sees("twin", { segment: 8, offset: turn });
      desk.nowMs += 5000;
      desk.sees("twin", { segment: 5, offset: turn });
    }
    expect(desk.named("replica_id_shared")).toMatchObject([
      { level: "warn", fields: { id: "twin" }, text: expect.stringContaining("--id") },
    ]);
    desk.sees("twin", { segment: 8, offset: 10 });
    expect(desk.tracker.held()).toMatchObject([{ received: { segment: 5 } }]);
    // The other has gone: what it needed is not held for ever.
    desk.nowMs += 60_000;
    expect(desk.tracker.held()).toMatchObject([{ received: { segment: 8 } }]);
  });

  test("one step back, as after a restart of the replica, is nothing to warn of", () => {
    const desk = new Desk();
    desk.follows("edge-1", 6);
    desk.nowMs += 5000;
    desk.sees("edge-1", { segment: 5, offset: 0 });
    desk.nowMs += 1000;
    desk.sees("edge-1", { segment: 9, offset: 0 });
    expect(desk.named("replica_id_shared")).toEqual([]);
  });
});

describe("lag in seconds", () => {
  test("counts from the oldest commit that is not applied, and is not known where nobody can know it", () => {
    const desk = new Desk();
    desk.follows("edge-1", 4);
    desk.sees("edge-1", { segment: 4, offset: 2 }, 700);
    expect(desk.list()[0]).toMatchObject({ lagSeconds: 0, freshAsOfMs: desk.nowMs, lagTransactions: 0 });
    const committedMs = desk.nowMs;
    desk.tracker.headChanged({ txid: 701, commitTimeMs: committedMs, end: END });
    desk.nowMs += 7000;
    expect(desk.list()[0]).toMatchObject({ lagSeconds: 7, freshAsOfMs: committedMs, lagTransactions: 1 });
    desk.sees("edge-1", { segment: 4, offset: 2 }, 12);
    expect(desk.list()[0]).toMatchObject({ lagSeconds: null, freshAsOfMs: null, lagTransactions: 689 });
    desk.sees("edge-1", { segment: 4, offset: 2 }, null);
    expect(desk.list()[0]).toMatchObject({ appliedTxid: null, lagSeconds: null, lagTransactions: null });
  });
});

test("a log that has lost its end is followed from where it ends now", () => {
  const desk = new Desk();
  desk.follows("edge", 4);
  const end = { segment: 4, offset: 1 };
  const headCommitTimeMs = desk.nowMs - 5000;
  desk.extent.catalogue.update(desk.extent.catalogue.start, end);
  desk.tracker.follow({ logId: LOG_ID, headTxid: 300, headCommitTimeMs, start: desk.extent.catalogue.start });
  desk.tracker.headChanged({ txid: 300, commitTimeMs: headCommitTimeMs, end });
  desk.sees("edge", end, 300);
  expect(desk.list()).toMatchObject([{ state: "streaming", lagTransactions: 0, lagSeconds: 0 }]);
});

describe("the file", () => {
  test("is written at once for a new replica, and then no more often than every few seconds", () => {
    const desk = new Desk();
    expect(existsSync(desk.file)).toBe(false);
    desk.follows("edge-1", 4);
    expect(readFileSync(desk.file, "utf8")).toContain('"edge-1"');
    const before = readFileSync(desk.file, "utf8");
    desk.nowMs += 1000;
    desk.sees("edge-1", { segment: 7, offset: 0 });
    desk.nowMs += 3000;
    desk.sees("edge-1", { segment: 8, offset: 0 });
    expect(readFileSync(desk.file, "utf8")).toBe(before);
    desk.nowMs += 1000;
    desk.tracker.tick(desk.extent);
    expect(readFileSync(desk.file, "utf8")).toContain('"received":{"segment":8,"offset":0}');
    // That it is still there, and nothing else, is not worth a write.
    const quiet = readFileSync(desk.file, "utf8");
    for (let poll = 0; poll < 20; poll++) {
      desk.nowMs += 10_000;
      desk.sees("edge-1", { segment: 8, offset: 0 });
      desk.tracker.tick(desk.extent);
    }
    expect(readFileSync(desk.file, "utf8")).toBe(quiet);
  });

  test("is written at once when a replica that was known comes to a new log: a restart would not hold that for it", () => {
    const desk = new Desk();
    desk.follows("edge-1", 4);
    desk.nowMs += 1000;
    const logId = "b".repeat(32);
    const { start } = desk.extent.catalogue;
    desk.tracker.follow({ logId, headTxid: 700, headCommitTimeMs: desk.nowMs, start });
    desk.sees("edge-1", { segment: 5, offset: 0 });
    expect(readFileSync(desk.file, "utf8")).toContain(logId);
  });

  test("tells the next start for whom the log is held, from the same place", () => {
    const desk = new Desk();
    desk.follows("edge-1", 4);
    desk.nowMs += 60_000;
    desk.tracker.close();
    const again = new Desk(undefined, desk.file);
    const held = { id: "edge-1", received: { segment: 4, offset: 1 } };
    expect(again.tracker.held()).toMatchObject([held]);
    expect(again.list()).toMatchObject([held]);
  });

  test.each([
    ["no JSON", "{ not"],
    ["JSON of something else", '{"formatVersion":1,"replicas":"none"}'],
    ["without a version", '{"savedMs":1,"replicas":[],"unknown":null}'],
  ])("that is damaged (%s) is set aside, and the log is held for whoever may follow", (_, text) => {
    const file = join(temporaryFolder(), "replicas.json");
    writeFileSync(file, text);
    const desk = new Desk(undefined, file);
    expect(desk.notices).toMatchObject([{ name: "tracking_damaged", level: "error" }]);
    expect(readFileSync(`${file}.damaged`, "utf8")).toBe(text);
    const openedMs = desk.nowMs;
    // A crash before anything else is written: it is still known that something is not.
    expect(new Desk(undefined, file).named("tracking_damaged")).toHaveLength(1);
    expect(desk.tracker.held()).toEqual([
      { id: UNKNOWN_REPLICAS, received: { segment: 3, offset: 0 }, inactiveSinceMs: openedMs },
    ]);
    desk.nowMs += 1000;
    desk.tracker.close();
    // It is remembered that they are not known, until they have been waited for.
    const again = new Desk(undefined, file);
    expect(again.tracker.held()).toMatchObject([{ id: UNKNOWN_REPLICAS }]);
    const decision = { firstToKeep: 3, firstWithoutReplicas: 3, heldPastLimitBy: null, lost: [] };
    again.tracker.settle({ ...decision, released: [UNKNOWN_REPLICAS] }, again.extent);
    expect(again.tracker.held()).toEqual([]);
    expect(again.tracker.releasedCount).toBe(0);
  });

  test("of a later version is refused by name, and left as it is", () => {
    const file = join(temporaryFolder(), "replicas.json");
    writeFileSync(file, '{"formatVersion":2}');
    expect(() => new Desk(undefined, file)).toThrow(
      expect.objectContaining({ code: "unknown_version" }) as TailraceError,
    );
    expect(readdirSync(dirname(file))).toEqual(["replicas.json"]);
  });
});
