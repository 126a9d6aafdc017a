import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Cleanup } from "./harness/cleanup.ts";
import { CLOSING, PRIMARY, SNAPSHOT, dieAt } from "./harness/failpoints.ts";
import { ServingProcess } from "./harness/node-process.ts";
import { OwnedCluster } from "./harness/owned-cluster.ts";
import { assertSameBytes, shell, stepOf } from "./harness/shell.ts";

/** Not passed by each commit, but by each few hundred kilobytes. */
const SELDOM = /segment|checkpointed|restart/;

/* kill -9 of a primary that owns its database: what durable() has acknowledged is never lost, and replicas go on. */
it(
  "a primary killed at every step of a commit, and of its end, has what it acknowledged; its replica goes on",
  { timeout: 180_000 },
  async () => {
    const cleanup = new Cleanup();
    try {
      await commitAndDie(cleanup);
    } finally {
      await cleanup.run();
    }
  },
);

async function commitAndDie(cleanup: Cleanup): Promise<void> {
  const cluster = new OwnedCluster(cleanup);
  const watcher = await cluster.start();
  await cluster.killPrimary();

  // Each life finds its way from the death before. The count is such that it has acknowledged something of its own.
  for (const point of PRIMARY) {
    const life = await dieAt(`${point}:${SELDOM.test(point) ? 2 : 5}`, (env) => cluster.launchPrimary(env));
    cluster.noteDead(life);
  }

  // The replica has waited longer with each death. Without load: the wait is idle.
  const quiet = await cluster.startQuietPrimary();
  await cluster.replicaHasAll();
  await quiet.kill();

  for (const point of CLOSING) {
    await dieAt(point, (env) => {
      const life = cluster.launchPrimary(env);
      life.child.stdin.end();
      return life;
    });
    await cluster.startPrimary();
    await cluster.replicaGoesOn();
  }

  expect(await cluster.replica.status()).toMatchObject({ resyncs: 0, bootstraps: 1 });
  await cluster.end(watcher, "at named points");
}

describe("a primary killed while it takes a snapshot", () => {
  it("at each point, one after the other: a replica then gets a whole one", { timeout: 60_000 }, async () => {
    const cleanup = new Cleanup();
    try {
      const file = join(cleanup.folder, "app.db");
      shell(
        file,
        "PRAGMA journal_mode=WAL; CREATE TABLE spread(id INTEGER PRIMARY KEY, n INT); INSERT INTO spread VALUES (1, 7);",
      );
      for (const point of SNAPSHOT) {
        const dying = cleanup.owns(
          await ServingProcess.start(["primary", file], { env: { TAILRACE_FAILPOINT: point } }),
        );
        // It dies before it can answer.
        await fetch(`${dying.url}/snapshot/latest`).catch(() => {});
        expect(await dying.exited, point).toEqual({ code: null, signal: "SIGKILL" });
      }
      const primary = cleanup.owns(await ServingProcess.start(["primary", file]));
      const edge = join(cleanup.folder, "edge.db");
      const replica = cleanup.owns(await ServingProcess.start(["replica", primary.url, edge]));
      await replica.waitFor(/can be read/);
      expect(stepOf(edge)).toBe(7);
      const left = readdirSync(`${file}-tailrace/snapshots`).filter(
        (name) => !/^\d{8}\.(db|json|sums)$/.test(name),
      );
      expect(left, "nothing half-made stays").toEqual([]);
      await replica.stop();
      await primary.stop();
      assertSameBytes(file, edge);
    } finally {
      await cleanup.run();
    }
  });
});
