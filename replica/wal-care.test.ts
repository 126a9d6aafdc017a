import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { WalIndexHeader } from "../shared/format/wal-index.ts";
import { EventLoopDelay } from "../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import { WAL_LIMIT_BYTES, WAL_TARGET_BYTES } from "../shared/plan/replica-checkpoint-policy.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { markOf } from "./left-mark.ts";
import { stampOf } from "./position-file.ts";
import { Standing } from "./standing.ts";
import { WalCare } from "./wal-care.ts";

test("a checkpoint that was asked for while another one ran does not begin once the standing is given up", async () => {
  const passing: (() => void)[] = [];
  const checkpointer = {
    passive: () => {
      const { promise, resolve } = Promise.withResolvers<{ checkpointedFrames: number; busy: boolean }>();
      passing.push(() => resolve({ checkpointedFrames: 1, busy: false }));
      return promise;
    },
  };
  const eventLoop = new EventLoopDelay("engine", () => 0);
  const care = new WalCare({
    database: { appender: { header: { salts: 1n }, frameCount: 7 }, checkpointer },
    applier: { position: { applied: {} } },
    table: {},
    copy: {},
    nowMs: () => 0,
    metrics: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 }),
  } as unknown as ConstructorParameters<typeof WalCare>[0]);

  const first = care.finish();
  const second = care.finish();
  const ended = care.end();
  passing[0]!();
  expect(await first).toEqual({ isComplete: false, walFrames: 7, copiedFrames: 1 });
  await expect(second).rejects.toMatchObject({ code: "not_ready", retryable: true });
  await ended;
  expect(passing).toHaveLength(1);
  eventLoop.close();
});

test("a WAL that was emptied has no frames, also before the next commit: nothing is left to copy, and a checkpoint is complete", async () => {
  const file = join(temporaryFolder(), "edge.db");
  writeFileSync(file, "");
  let nowMs = 0;
  let isEmpty = false;
  // As SQLite and the appender answer.
  const frames = WAL_TARGET_BYTES / 4096;
  const appender = {
    header: { salts: 1n },
    get frameCount() {
      return isEmpty ? 0 : frames;
    },
    pageSizeBytes: 4096,
    restartWal: () => (isEmpty = true),
  };
  const checkpointer = {
    passive: () => Promise.resolve({ checkpointedFrames: isEmpty ? 0 : frames, busy: false }),
  };
  const eventLoop = new EventLoopDelay("engine", () => 0);
  const care = new WalCare({
    database: { appender, checkpointer, file, walSizeBytes: () => 0 },
    applier: { position: { applied: {}, stamp: stampOf(file) }, isExact: false, note: () => {} },
    table: {},
    copy: { sync: () => {}, syncAhead: () => Promise.resolve() },
    nowMs: () => nowMs,
    metrics: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 }),
  } as unknown as ConstructorParameters<typeof WalCare>[0]);

  for (let turn = 0; turn < 10; turn++) {
    await care.tend();
    await care.settle();
    nowMs += 5000;
  }
  expect(care.status).toMatchObject({ checkpoints: 1, restarts: 1, frames: 0 });
  expect(await care.finish()).toEqual({ isComplete: true, walFrames: 0, copiedFrames: 0 });
  eventLoop.close();
});

test("a commit that comes while the WAL is being restarted, begun when nothing came, waits for that", async () => {
  const frames = WAL_LIMIT_BYTES / 4096;
  const order: string[] = [];
  const passing: (() => void)[] = [];
  let nowMs = 0;
  const checkpointer = {
    passive: () => {
      const { promise, resolve } = Promise.withResolvers<{ checkpointedFrames: number; busy: boolean }>();
      passing.push(() => resolve({ checkpointedFrames: frames - 1, busy: false }));
      return promise;
    },
  };
  const eventLoop = new EventLoopDelay("engine", () => 0);
  const metrics = new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 });
  const care = new WalCare({
    database: { appender: { header: { salts: 1n }, frameCount: frames, pageSizeBytes: 4096 }, checkpointer },
    applier: { position: { applied: {} } },
    table: {},
    copy: {},
    nowMs: () => nowMs,
    metrics,
  } as unknown as ConstructorParameters<typeof WalCare>[0]);
  const next = (): undefined => void order.push("the next batch is looked for");
  const standing = Object.assign(Object.create(Standing.prototype) as object, {
    care,
    batches: { next },
    options: { nowMs: () => nowMs, metrics },
  }) as unknown as Standing;

  void care.tend();
  passing.shift()!();
  await care.settle();
  nowMs += 1000;
  // All but a frame is copied: the rest, and then the restart, while nothing is applied.
  const finished = care.tend()?.then(() => order.push("finished"));
  expect(finished).toBeDefined();
  const applied = standing.applyNext(false);
  await new Promise(setImmediate);
  expect(order).toEqual([]);
  passing.shift()!();
  await Promise.all([finished, applied]);
  expect(order).toEqual(["finished", "the next batch is looked for"]);
  eventLoop.close();
});

test("the floor rises to what is in the file whole, and an emptied WAL is written down with the stamp of the file", async () => {
  const file = join(temporaryFolder(), "edge.db");
  writeFileSync(file, "");
  const noted: object[] = [];
  const frames = WAL_TARGET_BYTES / 4096;
  let copiedFrames = frames - 1;
  let nowMs = 0;
  const header = { change: 3, mxFrame: frames, salts: "s", frameChecksum: "c" };
  const applied = { txid: 7, cursor: { segment: 1, offset: 80 } };
  const position = { applied, stamp: stampOf(file) };
  const checkpointer = { passive: () => Promise.resolve({ checkpointedFrames: copiedFrames, busy: false }) };
  const eventLoop = new EventLoopDelay("engine", () => 0);
  const care = new WalCare({
    database: {
      appender: { header, frameCount: frames, pageSizeBytes: 4096, restartWal: () => true },
      checkpointer,
      file,
    },
    applier: { position, isExact: false, note: (change: object) => noted.push(change) },
    table: {},
    copy: { sync: () => {}, syncAhead: () => Promise.resolve() },
    nowMs: () => nowMs,
    metrics: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 }),
  } as unknown as ConstructorParameters<typeof WalCare>[0]);
  const tend = async (): Promise<void> => {
    nowMs += 5000;
    await care.tend();
    await care.settle();
  };
  // A reader keeps the last frame from being copied.
  await tend();
  expect(noted).toEqual([]);
  // A sync has failed: the next one would succeed without what that was for.
  const { passive } = checkpointer;
  checkpointer.passive = () => Promise.reject(new Error("EIO"));
  await tend();
  checkpointer.passive = passive;
  await tend();
  expect(care.isWalDoubtful).toBe(true);
  copiedFrames = frames;
  await tend();
  expect(noted).toEqual([{ floor: applied }]);
  expect(care.isWalDoubtful).toBe(false);
  await tend();
  expect(noted[1]).toEqual({
    floor: applied,
    left: markOf(header as WalIndexHeader),
    isStamped: true,
    stamp: stampOf(file),
  });
  // Somebody puts another file there, which nobody has looked at yet.
  writeFileSync(`${file}-other`, "");
  renameSync(`${file}-other`, file);
  await tend();
  await tend();
  expect(noted.at(-1)).toMatchObject({ isStamped: false, stamp: position.stamp });
  eventLoop.close();
});

test("what is committed while a checkpoint runs is not in the file for it: the floor rises to the state before", async () => {
  const noted: object[] = [];
  const position = { applied: { txid: 7 } };
  const passive = (): Promise<object> => {
    position.applied = { txid: 8 };
    return Promise.resolve({ checkpointedFrames: 7, busy: false });
  };
  const eventLoop = new EventLoopDelay("engine", () => 0);
  const care = new WalCare({
    database: { appender: { header: { salts: 1n }, frameCount: 7 }, checkpointer: { passive } },
    applier: { position, isExact: false, note: (change: object) => noted.push(change) },
    table: {},
    copy: { sync: () => {}, syncAhead: () => Promise.resolve() },
    nowMs: () => 0,
    metrics: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 }),
  } as unknown as ConstructorParameters<typeof WalCare>[0]);
  await care.finish();
  expect(noted).toEqual([{ floor: { txid: 7 } }]);
  eventLoop.close();
});

test("a WAL that another process has emptied was copied whole; of the one that begins after it, nothing is", async () => {
  const noted: object[] = [];
  const applied = { txid: 7 };
  let nowMs = 0;
  // The appender finds out with the next commit.
  const appender = { header: { salts: "a" }, frameCount: 100, pageSizeBytes: 4096 };
  const wal = { walFrames: 0, checkpointedFrames: 0, busy: false };
  const eventLoop = new EventLoopDelay("engine", () => 0);
  const care = new WalCare({
    database: { appender, checkpointer: { passive: () => Promise.resolve(wal) }, walSizeBytes: () => 0 },
    applier: { position: { applied }, isExact: false, note: (change: object) => noted.push(change) },
    table: {},
    copy: { sync: () => {}, syncAhead: () => Promise.resolve() },
    nowMs: () => nowMs,
    metrics: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 }),
  } as unknown as ConstructorParameters<typeof WalCare>[0]);
  expect(await care.finish()).toEqual({ isComplete: true, walFrames: 100, copiedFrames: 100 });
  expect(noted).toEqual([{ floor: applied }]);

  Object.assign(appender, { header: { salts: "b" }, frameCount: 3 });
  Object.assign(wal, { walFrames: 3, checkpointedFrames: 3 });
  expect(care.status).toMatchObject({ frames: 3, copiedFrames: 0 });
  nowMs += 5000;
  await care.tend();
  await care.settle();
  expect(care.status).toMatchObject({ frames: 3, copiedFrames: 3 });
  eventLoop.close();
});
