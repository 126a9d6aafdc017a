import { expect, test } from "vitest";
import { Freshness } from "../shared/plan/freshness.ts";
import { NoRoomError } from "../shared/storage/disk-room.ts";
import { LogIntake } from "./log-intake.ts";
import type { LogIntakeOptions } from "./log-intake.ts";
import type { Chunk, ChunkRequest } from "./receiver.ts";

/** An intake over a disk without room, of which the SQLite WAL has something to give back or not; and what it does. */
function fullDisk(walBytes: number): { intake: LogIntake; done: string[] } {
  const done: string[] = [];
  let isFull = true;
  const cursor = { segment: 1, offset: 80 };
  const next = { segment: 1, offset: 82 };
  const head = { txid: 5, cursor: next, commitTimeMs: 0, primaryTimeMs: null, ageMs: null };
  const local = {
    backlogBytes: 0,
    unsyncedBytes: 0,
    received: cursor,
    position: { logId: "", epoch: 1, applied: { txid: 5, checksum: 0n } },
    receive: () => {
      if (isFull) throw new NoRoomError("the primary's log", 2, 0);
      done.push("stored");
    },
    giveRoom: async () => {
      done.push("room is asked for");
      isFull = walBytes === 0;
      return !isFull;
    },
    syncReceived: async () => void done.push("synced"),
  };
  const intake = new LogIntake({
    local,
    receiver: {
      fetch: async () => ({ from: cursor, bytes: Buffer.alloc(2), next, isEof: true, epoch: 1, head }),
    },
    applying: { wake: () => {}, rest: async () => void done.push("applying rests"), stopping: undefined },
    freshness: new Freshness(),
    monotonicMs: () => 0,
    sleep: async () => {},
    throwInterruption: () => {},
    onMet: () => {},
    onSettled: () => {},
  } as unknown as LogIntakeOptions);
  return { intake, done };
}

const { signal } = new AbortController();

test("log for which there is no room is stored once the SQLite WAL has given its own back, between two batches", async () => {
  const { intake, done } = fullDisk(4096);
  expect(await intake.receive(signal)).toEqual({ isEof: true, isCaughtUp: true, txid: 5 });
  expect(done).toEqual(["applying rests", "room is asked for", "stored", "synced"]);
});

test("log for which there is no room, nor any to be given back, is refused", async () => {
  const { intake, done } = fullDisk(0);
  await expect(intake.receive(signal)).rejects.toBeInstanceOf(NoRoomError);
  expect(done).toEqual(["applying rests", "room is asked for", "synced"]);
});

/** An intake of a log with so many bytes, two a request; and what it does. */
function backlog({
  bytes,
  onAsked = () => {},
  whileSyncing = () => {},
}: {
  readonly bytes: number;
  readonly onAsked?: (asked: ChunkRequest) => void;
  readonly whileSyncing?: () => void;
}): { intake: LogIntake; done: string[]; passMs: (ms: number) => void } {
  const done: string[] = [];
  let [end, synced, nowMs] = [0, 0, 0];
  const local = {
    backlogBytes: 0,
    get unsyncedBytes() {
      return end - synced;
    },
    get received() {
      return { segment: 1, offset: end };
    },
    position: { logId: "", epoch: 1, applied: { txid: 5, checksum: 0n } },
    receive: ({ next }: Chunk) => {
      end = next.offset;
      done.push(`${end} stored`);
    },
    syncReceived: async () => {
      synced = end;
      whileSyncing();
      done.push(`${end} synced`);
    },
  };
  const fetch = async (asked: ChunkRequest): Promise<Chunk> => {
    const { cursor, isAhead = false } = asked;
    done.push(`${cursor.offset} asked ${isAhead ? "ahead" : "by name"}`);
    onAsked(asked);
    const next = { segment: 1, offset: cursor.offset + 2 };
    const head = { txid: 9, cursor: next, commitTimeMs: 0, primaryTimeMs: null, ageMs: null };
    return { from: cursor, bytes: Buffer.alloc(2), next, isEof: next.offset >= bytes, epoch: 1, head };
  };
  const intake: LogIntake = new LogIntake({
    local,
    receiver: { fetch },
    // Applied at once.
    applying: { wake: () => intake.settle(), rest: async () => {}, stopping: undefined },
    freshness: new Freshness(),
    monotonicMs: () => nowMs,
    sleep: async () => {},
    throwInterruption: () => {},
    onMet: () => {},
    onSettled: () => done.push("told of"),
  } as unknown as LogIntakeOptions);
  return { intake, done, passMs: (ms) => (nowMs += ms) };
}

test("a backlog is asked for ahead of the disk, but vouched for, and fed to others, when it is there", async () => {
  const { intake, done } = backlog({ bytes: 4 });
  expect(await intake.receive(signal)).toMatchObject({ isEof: true });
  const beforeSync = ["told of", "0 asked by name", "2 stored", "2 asked ahead", "4 stored"];
  expect(done).toEqual([...beforeSync, "4 synced", "told of"]);
});

test("in a backlog without end the node is told a few times a second how far this is", async () => {
  const { intake, done, passMs } = backlog({ bytes: Infinity, onAsked: () => passMs(100) });
  expect(await intake.receive(signal)).toMatchObject({ isEof: false });
  await intake.receive(signal);
  expect(done.filter((what) => what.includes("asked"))).toEqual([
    "0 asked by name",
    "2 asked ahead",
    "4 asked ahead",
    "6 asked ahead",
    "8 asked by name",
    "10 asked ahead",
    "12 asked ahead",
    "14 asked ahead",
  ]);
});

test("when asking ahead fails, what has come before is made durable, and told of", async () => {
  const failure = new Error("the network");
  const { intake, done } = backlog({
    bytes: 8,
    onAsked: ({ isAhead }) => {
      if (isAhead === true) throw failure;
    },
  });
  await expect(intake.receive(signal)).rejects.toBe(failure);
  expect(done.slice(1)).toEqual(["0 asked by name", "2 stored", "2 asked ahead", "2 synced", "told of"]);
});

test("what is applied while it is synced is fed to others when it is on disk, not before; what is applied later, at once", async () => {
  const { intake, done } = backlog({ bytes: 2, whileSyncing: () => intake.settle() });
  await intake.receive(signal);
  expect(done.slice(1)).toEqual(["0 asked by name", "2 stored", "2 synced", "told of"]);
  intake.settle();
  expect(done.slice(5)).toEqual(["told of"]);
});
