import { readFileSync, rmSync, truncateSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeWalHeader, frameOffset } from "../shared/format/wal.ts";
import { decodeWalIndexHeader, readBackfill } from "../shared/format/wal-index.ts";
import { Cleanup } from "./harness/cleanup.ts";
import { OwnedCluster } from "./harness/owned-cluster.ts";
import { Chance } from "./harness/seed.ts";
import type { Watcher } from "./harness/watcher.ts";

/* The log is forced to disk before anybody is told; the database is not. After a power loss it is put back from the log. */
describe("a primary whose machine loses power", () => {
  const cleanup = new Cleanup();
  const cluster = new OwnedCluster(cleanup);
  let watcher: Watcher;

  beforeAll(async () => {
    watcher = await cluster.start();
  });

  afterAll(() => cleanup.run());

  it("loses nothing acknowledged when the machine takes the unsynced end of the SQLite WAL with it", async () => {
    const chance = new Chance();
    let saidPutBack = false;
    for (let round = 0; round < 3; round++) {
      const what = `TEST_SEED=${chance.seed}, round ${round}`;
      await pause(chance.integer(50, 300));
      await cluster.killPrimary();
      const { cut, from } = cutWal(cluster.file, chance);
      await cluster.startPrimary().catch((error: unknown) => {
        throw new Error(`${what}: WAL cut from frame ${from} to ${cut}`, { cause: error });
      });
      saidPutBack ||= /put back/i.test(cluster.primary.text);
      await cluster.replicaGoesOn();
    }
    expect(saidPutBack, `TEST_SEED=${chance.seed}: something was lost by the database, and put back`).toBe(
      true,
    );
  });

  it("never showed readers of the replica a torn state or an older one", async () => {
    await cluster.end(watcher, "after power losses");
  });
});

/**
 * What a power loss may leave of the SQLite WAL, whose frames were not forced to disk: any prefix that holds at least
 * the frames which a checkpoint has copied (SQLite syncs the WAL before it does).
 */
function cutWal(file: string, chance: Chance): { readonly from: number; readonly cut: number } {
  // No process has the database open: reading its files here breaks nobody's locks.
  const shm = readFileSync(`${file}-shm`);
  const wal = readFileSync(`${file}-wal`);
  const { mxFrame } = decodeWalIndexHeader(shm)!;
  const { pageSizeBytes } = decodeWalHeader(wal)!;
  const cut = chance.integer(Math.min(readBackfill(shm), mxFrame), mxFrame);
  truncateSync(`${file}-wal`, cut === 0 ? 0 : frameOffset(cut + 1, pageSizeBytes));
  rmSync(`${file}-shm`);
  return { from: mxFrame, cut };
}
