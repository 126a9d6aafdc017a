import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EventLoopDelay } from "../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import { WAL_TARGET_BYTES } from "../shared/plan/replica-checkpoint-policy.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
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
    database: { appender: { header: { mxFrame: 7, salts: 1n } }, checkpointer },
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
  // As SQLite and the appender answer: the header is that of the last commit until the next one begins.
  const frames = WAL_TARGET_BYTES / 4096;
  const appender = {
    header: { mxFrame: frames, salts: 1n },
    pageSizeBytes: 4096,
    restartWal: () => (isEmpty = true),
  };
  const checkpointer = {
    passive: () => Promise.resolve({ checkpointedFrames: isEmpty ? 0 : frames, busy: false }),
  };
  const eventLoop = new EventLoopDelay("engine", () => 0);
  const care = new WalCare({
    database: { appender, checkpointer, file, walSizeBytes: () => 0 },
    applier: { position: { applied: {} }, isExact: false, note: () => {} },
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
