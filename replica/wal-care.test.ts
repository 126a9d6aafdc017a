import { expect, test } from "vitest";
import { EventLoopDelay } from "../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
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
