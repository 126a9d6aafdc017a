import { afterEach, expect, test } from "vitest";
import { WAL_TARGET_BYTES } from "../shared/plan/replica-checkpoint-policy.ts";
import { Edge } from "../test/harness/edge.ts";

let edge: Edge;
afterEach(() => edge.close());

test("a replica whose SQLite WAL was emptied, and that gets no commit after it, gives snapshots and is checkpointed", async () => {
  edge = new Edge();
  const { primary } = edge;
  await primary.listen();
  const replica = await edge.start();
  await replica.sync();
  primary.insert(Math.ceil(WAL_TARGET_BYTES / 4000), 4000);
  await replica.sync();
  await expect
    .poll(() => replica.status().wal, { timeout: 15_000 })
    .toMatchObject({ restarts: 1, frames: 0 });
  expect(await replica.snapshot()).toMatchObject({ txid: primary.txid });
  expect(await replica.checkpoint()).toEqual({ isComplete: true, walFrames: 0, copiedFrames: 0 });
  primary.insert(1);
  await replica.sync();
  expect(replica.status()).toMatchObject({ errors: [], resyncs: 0 });
  await edge.expectIdentical();
});
