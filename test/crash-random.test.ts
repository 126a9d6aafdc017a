import { setTimeout as pause } from "node:timers/promises";
import { describe, it } from "vitest";
import { Cleanup } from "./harness/cleanup.ts";
import { OwnedCluster } from "./harness/owned-cluster.ts";
import { Chance } from "./harness/seed.ts";
import { assertSameBytes } from "./harness/shell.ts";

/** More of the random kills: TAILRACE_CRASH_ROUNDS=200. */
const RANDOM_ROUNDS = Number(process.env["TAILRACE_CRASH_ROUNDS"] ?? 3);

describe("primary and replica killed at random moments", () => {
  it(
    "lose nothing acknowledged, never show a torn or older state, and end byte-identical",
    { timeout: 30_000 + RANDOM_ROUNDS * 10_000 },
    async () => {
      const chance = new Chance();
      const cleanup = new Cleanup();
      const cluster = new OwnedCluster(cleanup);
      try {
        const watcher = await cluster.start();
        for (let round = 0; round < RANDOM_ROUNDS; round++) {
          const victims = chance.integer(1, 3); // 1: primary, 2: replica, 3: both
          await pause(chance.integer(0, 400));
          if ((victims & 1) !== 0) await cluster.primary.kill();
          if ((victims & 2) !== 0) await cluster.replica.kill();
          cluster.note(cluster.primary);
          if ((victims & 1) !== 0) await cluster.startPrimary();
          if ((victims & 2) !== 0) await cluster.startReplica();
          await cluster.replicaGoesOn().catch((error: unknown) => {
            throw new Error(`TEST_SEED=${chance.seed}, round ${round}, victims ${victims}`, { cause: error });
          });
        }
        await cluster.end(watcher, `TEST_SEED=${chance.seed}`);
        // The primary is gone for good; one without load serves the rest.
        const quiet = await cluster.startQuietPrimary();
        await cluster.replicaHasAll();
        await cluster.replica.stop();
        await quiet.stop();
        assertSameBytes(cluster.file, cluster.edge);
      } finally {
        await cleanup.run();
      }
    },
  );
});
