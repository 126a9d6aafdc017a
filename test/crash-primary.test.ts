import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cleanup } from "./harness/cleanup.ts";
import { CLOSING, PRIMARY, SNAPSHOT, dieAt } from "./harness/failpoints.ts";
import { ServingProcess, until } from "./harness/node-process.ts";
import { OwnedCluster } from "./harness/owned-cluster.ts";
import { assertSameBytes, shell, stepOf } from "./harness/shell.ts";
import type { Watcher } from "./harness/watcher.ts";

/* kill -9 of a primary that owns its database: what durable() has acknowledged is never lost, and replicas go on. */
describe("a primary killed while it commits", () => {
  const cleanup = new Cleanup();
  const cluster = new OwnedCluster(cleanup);
  let watcher: Watcher;

  beforeAll(async () => {
    watcher = await cluster.start();
    await cluster.primary.kill();
    cluster.note(cluster.primary);
  });

  afterAll(() => cleanup.run());

  it.each(PRIMARY)("at %s: nothing acknowledged is lost, and replicas go on", async (point) => {
    await dieAt(`${point}:${point.startsWith("log.segment") ? 1 : 5}`, (env) => {
      cluster.primary = cluster.launchPrimary(env);
      return cluster.primary;
    });
    cluster.note(cluster.primary);
    await cluster.startPrimary();
    await cluster.replicaGoesOn();
    await cluster.primary.kill();
    cluster.note(cluster.primary);
  });

  it.each(CLOSING)("at %s, while it ends in good order", async (point) => {
    await dieAt(point, (env) => {
      cluster.primary = cluster.launchPrimary(env);
      cluster.primary.child.stdin.end();
      return cluster.primary;
    });
    cluster.note(cluster.primary);
    await cluster.startPrimary();
    await cluster.replicaGoesOn();
    await cluster.primary.kill();
    cluster.note(cluster.primary);
  });

  it("never showed readers of the replica a torn state or an older one", async () => {
    await cluster.startPrimary();
    await cluster.end(watcher, "at named points");
  });
});

describe("a primary killed while it takes a snapshot", () => {
  it.each(SNAPSHOT)("at %s: a replica then gets a whole one", async (point) => {
    const cleanup = new Cleanup();
    try {
      const file = join(cleanup.folder, "app.db");
      shell(
        file,
        "PRAGMA journal_mode=WAL; CREATE TABLE spread(id INTEGER PRIMARY KEY, n INT); INSERT INTO spread VALUES (1, 7);",
      );
      const dying = cleanup.owns(
        await ServingProcess.start(["primary", file], { env: { TAILRACE_FAILPOINT: point } }),
      );
      // Until its engine has spoken, it says 503: asked again until it is dead.
      const ask = async (): Promise<void> =>
        void (await fetch(`${dying.url}/snapshot/latest`).catch(() => {}));
      await until("it dies", ask, () => !dying.isRunning);
      expect(await dying.exited).toEqual({ code: null, signal: "SIGKILL" });
      const primary = cleanup.owns(await ServingProcess.start(["primary", file]));
      const edge = join(cleanup.folder, "edge.db");
      const replica = cleanup.owns(await ServingProcess.start(["replica", primary.url, edge]));
      await until(
        "replica is there",
        () => stepOf(edge),
        (step) => step === 7,
      );
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
