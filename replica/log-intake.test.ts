import { expect, test } from "vitest";
import { Freshness } from "../shared/plan/freshness.ts";
import { NoRoomError } from "../shared/storage/disk-room.ts";
import { LogIntake } from "./log-intake.ts";
import type { LogIntakeOptions } from "./log-intake.ts";

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
  expect(done).toEqual(["applying rests", "room is asked for"]);
});
