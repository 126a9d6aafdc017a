import { describe, expect, test } from "vitest";
import { get, problem, statusOf, until } from "../../test/harness/http.ts";
import { ENGINE_MS, madeUpLog, madeUpReplica } from "../../test/harness/made-up-engine.ts";
import { LOG_ID, ServingNode, whenReady } from "../../test/harness/serving-node.ts";
import { TailraceError } from "../errors.ts";
import { MAX_LISTED_REPLICAS, statusSchema } from "../status.ts";
import type { EngineStatus, StatusDocument } from "../status.ts";
import type { Sighting } from "./engine.ts";

/** What a client reads at most (src/node-client.ts). */
const MAX_STATUS_BYTES = 4 << 20;

async function status(node: ServingNode): Promise<StatusDocument> {
  return statusSchema.parse(await statusOf(node.url));
}

/** The longest id there can be, of characters that are the longest. */
function longest(index: number): string {
  return "\u{1F30A}".repeat(123) + String(index).padStart(5, "0");
}

/** The newest word on a replica. */
function sightingOf({ engine }: ServingNode, id: string): Sighting | undefined {
  return engine.reports.flatMap(({ sightings }) => sightings).findLast((sighting) => sighting.id === id);
}

describe("GET /status", () => {
  test("is one document of what the engine tells and what is known here", async () => {
    await using node = await ServingNode.start();
    node.engine.replicas = [madeUpReplica("b"), madeUpReplica("a")];
    node.commit(3);
    await whenReady(node.url);
    expect(await status(node)).toMatchObject({
      protocol: 1,
      version: "1.2.3",
      role: "primary",
      isReady: true,
      unready: null,
      isEngineAnswering: true,
      asOfMs: ENGINE_MS,
      database: { file: "app.db" },
      log: {
        logId: LOG_ID,
        start: { segment: 1, offset: 0 },
        end: node.log.end,
        headTxid: 3,
        headTimeMs: 1_700_000_000_003,
        segmentCount: 1,
        durability: "os",
      },
      snapshots: [],
      errors: [],
      waitingRequests: 0,
      downloads: 0,
      replicas: [{ id: "b" }, { id: "a" }],
      replicasTotal: 2,
    });
    expect((await get(`${node.url}/status`)).headers["cache-control"]).toBe("no-store");
  });

  test("answers also while the node is not ready, and when its engine is gone", async () => {
    await using node = await ServingNode.start();
    expect(await status(node)).toMatchObject({ isReady: false, unready: { code: "not_ready" } });
    node.commit(1);
    await whenReady(node.url);
    node.unready(new TailraceError("damaged", "log segment 1 is damaged"));
    const damaged = await until(
      () => status(node),
      ({ isReady }) => !isReady,
    );
    expect(damaged.unready).toEqual({ code: "damaged", message: "log segment 1 is damaged" });
    node.closeEngine();
    expect(await status(node)).toMatchObject({
      isReady: false,
      isEngineAnswering: false,
      asOfMs: ENGINE_MS,
      log: { headTxid: 1 },
    });
  });

  test("before the engine's first word, what is not known is null", async () => {
    await using node = await ServingNode.start({ limits: { engineStatusMs: 1 } });
    node.engine.methods.status = () => new Promise(() => {});
    expect(await status(node)).toMatchObject({
      isEngineAnswering: false,
      log: null,
      snapshots: [],
      replicas: [],
      replicasTotal: 0,
      errors: [],
    });
  });

  test("of an engine that hangs it is the last word, and says so; and it is asked once, however many look", async () => {
    await using node = await ServingNode.start({ limits: { engineStatusMs: 1 } });
    node.commit(1);
    await until(
      () => status(node),
      ({ isEngineAnswering, log }) => isEngineAnswering && log?.headTxid === 1,
    );
    let asked = 0;
    const hanging = Promise.withResolvers<EngineStatus>();
    const answering = node.engine.methods.status;
    node.engine.methods.status = () => {
      asked += 1;
      return hanging.promise;
    };
    for (let look = 0; look < 3; look++) {
      const documents = await Promise.all([status(node), status(node)]);
      for (const document of documents) {
        expect(document).toMatchObject({ isEngineAnswering: false, asOfMs: ENGINE_MS, log: { headTxid: 1 } });
      }
    }
    expect(asked).toBe(1);
    // It comes to itself.
    hanging.resolve(await answering({ sightings: [], heldGenerations: [] }));
    node.engine.methods.status = answering;
    await until(
      () => status(node),
      ({ isEngineAnswering }) => isEngineAnswering,
    );
  });

  test("a head that is newer than the engine's word goes before it", async () => {
    await using node = await ServingNode.start();
    node.commit(2);
    const old = madeUpLog(node.head);
    const answering = node.engine.methods.status;
    node.engine.methods.status = async (report) => ({ ...(await answering(report)), log: old });
    node.commit(3);
    const { log } = await until(
      () => status(node),
      ({ log: now }) => now?.headTxid === 5,
    );
    const { databaseChecksum, end } = node.head;
    expect(log).toEqual({ ...old, headTxid: 5, headTimeMs: 1_700_000_000_005, databaseChecksum, end });
  });

  test("of ten thousand replicas the worst are listed, and the document stays readable", async () => {
    await using node = await ServingNode.start();
    node.engine.replicas = Array.from({ length: 10_000 }, (_, index) =>
      madeUpReplica(longest(index), {
        lagSeconds: index,
        lagBytes: 2 ** 50 + index,
        address: "f".repeat(45),
      }),
    );
    node.engine.replicas[17] = madeUpReplica("gone", { state: "lost", retention: "lost" });
    node.commit(1);
    await whenReady(node.url);
    const { body } = await get(`${node.url}/status`);
    expect(body.length).toBeLessThan(MAX_STATUS_BYTES);
    const { replicas, replicasTotal } = statusSchema.parse(JSON.parse(body.toString()));
    expect(replicas).toHaveLength(MAX_LISTED_REPLICAS);
    expect(replicasTotal).toBe(10_000);
    expect(replicas.slice(0, 2)).toMatchObject([{ id: "gone" }, { lagSeconds: 9_999 }]);
  });
});

describe("what the engine is told", () => {
  test("along with the question for the status: what a replica says of itself, and was sent", async () => {
    let nowMs = 1_000_000;
    await using node = await ServingNode.start({ clock: () => nowMs });
    node.commit(9);
    await whenReady(node.url);
    nowMs += 3000;
    await get(`${node.url}/wal?segment=1&offset=80&max_bytes=616&replica_id=edge%201&applied_txid=1`);
    await status(node);
    expect(sightingOf(node, "edge 1")).toEqual({
      id: "edge 1",
      address: "127.0.0.1",
      received: { segment: 1, offset: 80 },
      sent: { segment: 1, offset: 696 },
      appliedTxid: 1,
      lastSeenMs: nowMs,
      isAsking: false,
    });
  });

  test("one that waits is there, for as long as it waits; what it does not say is null", async () => {
    let nowMs = 1_000_000;
    await using node = await ServingNode.start({ clock: () => nowMs });
    node.commit(1);
    await whenReady(node.url);
    const { end } = node.log;
    const held = get(`${node.url}/wal?segment=1&offset=${end.offset}&wait_ms=60000&replica_id=a`);
    await until(
      () => status(node),
      ({ waitingRequests }) => waitingRequests === 1,
    );
    await until(
      () => status(node),
      () => sightingOf(node, "a") !== undefined,
    );
    expect(sightingOf(node, "a")).toMatchObject({
      received: end,
      isAsking: true,
      appliedTxid: null,
      sent: null,
    });
    nowMs += 5000;
    node.commit(1);
    await held;
    await status(node);
    expect(sightingOf(node, "a")).toMatchObject({
      received: end,
      isAsking: false,
      sent: node.log.end,
      lastSeenMs: nowMs,
    });
  });

  test("of a new replica it hears at once, without being asked", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    await get(`${node.url}/wal?segment=1&offset=0&replica_id=a`);
    await expect.poll(() => sightingOf(node, "a"), { interval: 1 }).toBeDefined();
  });

  test("a cursor that the node refuses is nobody's word", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    await get(`${node.url}/wal?segment=9&offset=0&replica_id=lost`);
    await get(`${node.url}/wal?segment=1&offset=99999&replica_id=lost`);
    await status(node);
    expect(sightingOf(node, "lost")).toBeUndefined();
  });
});

describe("health", () => {
  test("alive from the start, ready with the first head, unready with a reason", async () => {
    await using node = await ServingNode.start();
    expect((await get(`${node.url}/livez`)).status).toBe(200);
    for (const path of ["/readyz", "/healthz"]) {
      const starting = await get(`${node.url}${path}`);
      expect(starting.status).toBe(503);
      expect(starting.headers["retry-after"]).toBe("1");
      expect(problem(starting)).toMatchObject({ code: "not_ready", detail: "the node is starting" });
    }
    node.commit(2);
    await whenReady(node.url);
    for (const path of ["/readyz", "/healthz"]) {
      const ready = await get(`${node.url}${path}`);
      expect(JSON.parse(ready.body.toString())).toEqual({ status: "ready", role: "primary", txid: 2 });
    }
    node.unready(new TailraceError("storage_failed", "the disk is full", { retryable: true }));
    const full = await until(
      () => get(`${node.url}/readyz`),
      ({ status: code }) => code === 503,
    );
    expect(problem(full)).toMatchObject({ code: "storage_failed", detail: "the disk is full" });
    expect((await get(`${node.url}/livez`)).status).toBe(200);
  });
});
