import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { TailraceError } from "../shared/errors.ts";
import type { Position } from "../shared/format/position.ts";
import { EventLoopDelay } from "../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import { Follower } from "./follower.ts";
import type { FollowerOptions } from "./follower.ts";

function position(txid: number): Position {
  return { applied: { txid, cursor: { segment: 1, offset: 80 } }, commitTimeMs: 1 } as unknown as Position;
}

test("what is applied before it is on the disk is given to others only when it is there", async () => {
  const order: string[] = [];
  const synced = Promise.withResolvers<void>();
  const applied = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  let batches = 0;
  const local = {
    position: position(1),
    received: { segment: 1, offset: 80 },
    backlogBytes: 0,
    unsyncedBytes: 0,
    stand: () => Promise.resolve(),
    receive: () => (batches = 1),
    applyNext: () => {
      if (batches-- > 0) local.position = position(2);
      else if (local.position.applied.txid === 2) applied.resolve();
      return Promise.resolve(batches === 0);
    },
    syncReceived: () => (local.position.applied.txid === 1 ? Promise.resolve() : synced.promise),
    close: () => Promise.resolve(),
  };
  const chunk = { from: {}, bytes: Buffer.alloc(1), isEof: true, head: { txid: 2 } };
  const next = { segment: 1, offset: 81 };
  let chunks = 0;
  const receiver = {
    fetch: async ({ signal }: { signal: AbortSignal }) => {
      await turn();
      if (chunks++ > 0) await once(signal, "abort");
      signal.throwIfAborted();
      return { ...chunk, from: { segment: 1, offset: 80 }, next };
    },
  };
  const eventLoop = new EventLoopDelay("engine", () => 0);
  const follower = new Follower({
    local,
    receiver,
    work: "receive",
    wallMs: () => 0,
    monotonicMs: () => 0,
    metrics: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 }),
    events: {
      ready: () => {},
      tended: () => {},
      state: () => {},
      notice: () => {},
      settled: ({ applied: { txid } }: Position) => {
        order.push(`transaction ${txid} is given to others`);
        if (txid === 2) told.resolve();
      },
    },
  } as unknown as FollowerOptions);
  follower.start();
  await applied.promise;
  await turn();
  order.push("on the disk");
  synced.resolve();
  await told.promise;
  expect(order).toEqual([
    "transaction 1 is given to others",
    "on the disk",
    "transaction 2 is given to others",
  ]);
  await follower.close();
  eventLoop.close();
});

test("that it can be read is told also where the disk fails just as that is so: at the next attempt", async () => {
  const order: string[] = [];
  const ready = Promise.withResolvers<void>();
  const local = {
    position: position(1),
    stand: () => Promise.resolve(),
    syncReceived: () => Promise.resolve(),
    dropUnapplied: () => Promise.resolve(),
    applyNext: () => Promise.resolve(false),
    close: () => Promise.resolve(),
  };
  const receiver = {
    fetch: async ({ signal }: { signal: AbortSignal }) => {
      if (!signal.aborted) await once(signal, "abort");
      signal.throwIfAborted();
    },
  };
  const eventLoop = new EventLoopDelay("engine", () => 0);
  const follower = new Follower({
    local,
    receiver,
    work: "receive",
    wallMs: () => 0,
    monotonicMs: () => 0,
    random: () => 0,
    sleep: () => Promise.resolve(),
    metrics: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 }),
    events: {
      ready: () => {
        order.push("ready");
        ready.resolve();
      },
      tended: () => {},
      state: () => {},
      notice: () => {},
      settled: () => {
        order.push("settled");
        if (order.length === 1) throw new TailraceError("storage_failed", "meta.json cannot be written");
      },
    },
  } as unknown as FollowerOptions);
  follower.start();
  await ready.promise;
  expect(order).toEqual(["settled", "settled", "ready"]);
  await follower.close();
  eventLoop.close();
});
