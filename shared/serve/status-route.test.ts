import { describe, expect, test } from "vitest";
import { get, problem, statusOf, until } from "../../test/harness/http.ts";
import { LOG_ID, ServingNode, whenReady } from "../../test/harness/serving-node.ts";
import { TailraceError } from "../errors.ts";
import { statusSchema } from "../status.ts";
import type { ReplicaStatus, StatusDocument } from "../status.ts";

async function status(node: ServingNode): Promise<StatusDocument> {
  return statusSchema.parse(await statusOf(node.url));
}

describe("GET /status", () => {
  test("is one document of what the engine tells and what is known here", async () => {
    await using node = await ServingNode.start();
    node.commit(3);
    await whenReady(node.url);
    const document = await status(node);
    expect(document).toMatchObject({
      protocol: 1,
      role: "primary",
      isReady: true,
      unready: null,
      database: { file: "app.db" },
      log: {
        logId: LOG_ID,
        epoch: 1,
        pageSizeBytes: 512,
        start: { segment: 1, offset: 0 },
        end: node.log.end,
        headTxid: 3,
        headTimeMs: 1_700_000_000_003,
        segments: 1,
      },
      waitingRequests: 0,
      downloads: 0,
      replicas: [],
    });
  });

  test("answers also while the node is not ready, and when its engine is gone", async () => {
    await using node = await ServingNode.start();
    expect(await status(node)).toMatchObject({ isReady: false, unready: { code: "not_ready" }, log: null });
    node.commit(1);
    await whenReady(node.url);
    node.unready(new TailraceError("damaged", "log segment 1 is damaged"));
    const damaged = await until(
      () => status(node),
      ({ isReady }) => !isReady,
    );
    expect(damaged.unready).toEqual({ code: "damaged", message: "log segment 1 is damaged" });
    node.closeEngine();
    expect((await status(node)).isReady).toBe(false);
  });
});

describe("replicas in the status", () => {
  test("what a replica says of itself, and what follows from it", async () => {
    let nowMs = 1_000_000;
    await using node = await ServingNode.start({ segmentSizeBytes: 2000, clock: () => nowMs });
    node.commit(1);
    await whenReady(node.url);
    nowMs += 5000;
    node.commit(9);
    await until(
      () => status(node),
      ({ log }) => log?.headTxid === 10,
    );
    nowMs += 3000;
    await get(`${node.url}/wal?segment=1&offset=80&max_bytes=616&replica_id=edge%201&applied_txid=1`);
    const [replica] = (await status(node)).replicas;
    const { end } = node.log;
    const before = await Promise.all(
      Array.from({ length: end.segment - 1 }, async (_, index) => {
        const { headers } = await get(`${node.url}/wal?segment=${index + 1}&offset=0&max_bytes=100000`);
        return Number(headers["content-length"]);
      }),
    );
    expect(replica).toEqual({
      id: "edge 1",
      address: "127.0.0.1",
      state: "catching_up",
      sent: { segment: 1, offset: 696 },
      received: { segment: 1, offset: 80 },
      appliedTxid: 1,
      lagTransactions: 9,
      lagBytes: before.reduce((sum, size) => sum + size, 0) - 80 + end.offset,
      lagSeconds: 3,
      lastSeenMs: nowMs,
      inactiveSinceMs: null,
      bytesUntilLost: null,
    } satisfies ReplicaStatus);

    await get(
      `${node.url}/wal?segment=${end.segment}&offset=${end.offset}&replica_id=edge%201&applied_txid=10`,
    );
    expect((await status(node)).replicas[0]).toMatchObject({
      state: "streaming",
      received: end,
      lagTransactions: 0,
      lagBytes: 0,
      lagSeconds: 0,
    });
    nowMs += 60_000;
    expect((await status(node)).replicas[0]).toMatchObject({
      state: "inactive",
      inactiveSinceMs: nowMs - 60_000,
    });
  });

  test("one that waits is streaming, for as long as it waits; what it does not say is null", async () => {
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
    nowMs += 55_000;
    expect((await status(node)).replicas[0]).toMatchObject({
      state: "streaming",
      appliedTxid: null,
      lagTransactions: null,
      lagSeconds: null,
      lagBytes: 0,
      sent: null,
    });
    node.commit(1);
    await held;
  });

  test("a cursor that the node refuses is nobody's word", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    await get(`${node.url}/wal?segment=9&offset=0&replica_id=lost`);
    await get(`${node.url}/wal?segment=1&offset=99999&replica_id=lost`);
    expect((await status(node)).replicas).toEqual([]);
  });

  test("only so many are remembered, the latest", async () => {
    await using node = await ServingNode.start({ limits: { maxReplicas: 3 } });
    node.commit(1);
    await whenReady(node.url);
    for (const id of ["a", "b", "c", "d", "b", "e"])
      await get(`${node.url}/wal?segment=1&offset=0&replica_id=${id}`);
    expect((await status(node)).replicas.map(({ id }) => id)).toEqual(["b", "d", "e"]);
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
