import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { get, problem, until } from "../../../test/harness/http.ts";
import type { Answer } from "../../../test/harness/http.ts";
import { ENGINE_MS, madeUpReplica } from "../../../test/harness/made-up-engine.ts";
import { ServingNode, whenReady } from "../../../test/harness/serving-node.ts";
import {
  checkpointOutcomeSchema,
  forgottenDocumentSchema,
  replicasDocumentSchema,
  snapshotTakenDocumentSchema,
  snapshotsDocumentSchema,
  walDocumentSchema,
} from "../../admin.ts";
import { TailraceError } from "../../errors.ts";
import { verificationStatusSchema } from "../../verification/verification-status.ts";
import type { SegmentStatus } from "../../status.ts";

const NOW_MS = 1_700_000_001_000;

type ServeOptions = NonNullable<Parameters<typeof ServingNode.start>[0]>;

async function ready(options: ServeOptions = {}): Promise<ServingNode> {
  const node = await ServingNode.start({ clock: () => NOW_MS, ...options });
  node.commit(3);
  await whenReady(node.url);
  return node;
}

function act(node: ServingNode, method: string, path: string): Promise<Answer> {
  return get(`${node.url}${path}`, { method });
}

function json({ body, headers }: Answer): unknown {
  expect(headers["content-type"]).toBe("application/json");
  expect(headers["cache-control"]).toBe("no-store");
  return JSON.parse(body.toString());
}

describe("looking", () => {
  test("GET /admin/replicas: those of the status, and the time", async () => {
    await using node = await ready();
    node.engine.replicas = [madeUpReplica("b"), madeUpReplica("a")];
    const document = replicasDocumentSchema.parse(json(await get(`${node.url}/admin/replicas`)));
    expect(document).toEqual({ nowMs: NOW_MS, replicas: node.engine.replicas, replicasTotal: 2 });
  });

  test("GET /admin/wal: the log, its files, and the SQLite WAL", async () => {
    await using node = await ready();
    const segment: SegmentStatus = {
      segment: 1,
      sizeBytes: 2000,
      isSealed: false,
      modifiedMs: ENGINE_MS,
      keptFor: ["snapshot 1"],
    };
    node.engine.methods.segments = () => [segment];
    expect(walDocumentSchema.parse(json(await get(`${node.url}/admin/wal`)))).toMatchObject({
      nowMs: NOW_MS,
      log: { headTxid: 3 },
      wal: { sizeBytes: 4152 },
      segments: [segment],
    });
  });

  test("GET /admin/snapshots: with the downloads that the server knows of", async () => {
    await using node = await ready();
    const { generation, txid, createdMs, databaseChecksum, cursor } = node.makeSnapshot(1, 7);
    const answering = node.engine.methods.status;
    const snapshot = {
      generation,
      txid,
      createdMs,
      databaseChecksum,
      cursor,
      sizeBytes: 3584,
      logBytesAfter: 9,
    };
    node.engine.methods.status = async (report) => ({
      ...(await answering(report)),
      snapshots: [{ ...snapshot, downloads: 0 }],
      snapshotSinceMs: NOW_MS - 5,
    });
    await get(`${node.url}/snapshot/latest`);
    expect(snapshotsDocumentSchema.parse(json(await get(`${node.url}/admin/snapshots`)))).toEqual({
      nowMs: NOW_MS,
      snapshots: [{ ...snapshot, downloads: 1 }],
      snapshotSinceMs: NOW_MS - 5,
    });
  });

  test("HEAD has the headers alone", async () => {
    await using node = await ready();
    const { status, headers, body } = await act(node, "HEAD", "/admin/replicas");
    expect([status, headers["content-type"], body.length]).toEqual([200, "application/json", 0]);
  });
});

describe("acting", () => {
  test("DELETE /admin/replicas/{id}: it is gone, here and in the engine; a second time it is unknown", async () => {
    await using node = await ready();
    const replica = madeUpReplica("edge/1 ü%41");
    node.engine.replicas = [replica, madeUpReplica("b")];
    const path = `/admin/replicas/${encodeURIComponent(replica.id)}`;
    expect(forgottenDocumentSchema.parse(json(await act(node, "DELETE", path)))).toEqual({
      forgotten: replica,
    });
    expect(node.engine.replicas.map(({ id }) => id)).toEqual(["b"]);
    const again = await act(node, "DELETE", path);
    expect(again.status).toBe(404);
    expect(problem(again)).toMatchObject({ code: "replica_unknown", retryable: false });
  });

  test("one that was forgotten, and asks again, is told of at once", async () => {
    await using node = await ready();
    const ask = (): Promise<Answer> => get(`${node.url}/wal?segment=1&offset=80&replica_id=edge`);
    const told = (): number =>
      node.engine.reports.flatMap(({ sightings }) => sightings).filter(({ id }) => id === "edge").length;
    await ask();
    await get(`${node.url}/status`);
    node.engine.replicas = [madeUpReplica("edge")];
    await act(node, "DELETE", "/admin/replicas/edge");
    const before = told();
    await ask();
    await expect.poll(told, { interval: 1, timeout: 200 }).toBeGreaterThan(before);
  });

  test.each([
    ["%zz", "must be percent-encoded UTF-8"],
    ["a%00b", "control character"],
    ["x".repeat(129), "1 to 128 characters"],
  ])("an id that no replica can have is refused: %s", async (id, why) => {
    await using node = await ready();
    const answer = await act(node, "DELETE", `/admin/replicas/${id}`);
    expect(answer.status).toBe(400);
    expect(problem(answer)).toMatchObject({ code: "invalid_request", key: "id" });
    expect(problem(answer).detail).toContain(why);
  });

  test("POST /admin/snapshots: 201 with the new one", async () => {
    await using node = await ready();
    const taken = node.makeSnapshot(2, 7);
    node.engine.methods.takeSnapshot = () => taken;
    const answer = await act(node, "POST", "/admin/snapshots");
    expect(answer.status).toBe(201);
    expect(snapshotTakenDocumentSchema.parse(json(answer))).toEqual({
      snapshot: {
        generation: 2,
        txid: 3,
        createdMs: 1_700_000_000_000,
        sizeBytes: 7 * 512,
        databaseChecksum: taken.databaseChecksum,
        cursor: node.log.end,
        logBytesAfter: 0,
        downloads: 0,
      },
    });
  });

  test("202 while it is being taken, by one run for all that ask; what it fails with, whoever waits is told", async () => {
    await using node = await ready();
    let runs = 0;
    const { promise, reject } = Promise.withResolvers<never>();
    node.engine.methods.takeSnapshot = () => {
      runs += 1;
      return promise;
    };
    const answering = node.engine.methods.status;
    node.engine.methods.status = async (report) => ({
      ...(await answering(report)),
      snapshotSinceMs: NOW_MS,
    });
    for (const path of ["?wait_ms=0", "?wait_ms=1"]) {
      const answer = await act(node, "POST", `/admin/snapshots${path}`);
      expect(answer.status).toBe(202);
      expect(json(answer)).toEqual({ snapshotSinceMs: NOW_MS });
    }
    const waiting = act(node, "POST", "/admin/snapshots");
    await until(
      () => get(`${node.url}/status`),
      () => runs > 0,
    );
    reject(new TailraceError("storage_failed", "the disk is full", { retryable: true }));
    const failed = await waiting;
    expect(failed.status).toBe(503);
    expect(problem(failed)).toMatchObject({ code: "storage_failed", detail: "the disk is full" });
    expect(runs).toBe(1);
  });

  test.each(["wait_ms=60001", "wait_ms=-1", "wait_ms=1&wait_ms=2", "wait_ms="])(
    "a wait that cannot be is refused: %s",
    async (query) => {
      await using node = await ready();
      const answer = await act(node, "POST", `/admin/snapshots?${query}`);
      expect(answer.status).toBe(400);
      expect(problem(answer)).toMatchObject({ code: "invalid_request", key: "wait_ms" });
    },
  );

  test("POST /admin/checkpoint: how it has ended; 503 timeout when it does not", async () => {
    await using node = await ready({ limits: { engineWorkMs: 20 } });
    const outcome = { isComplete: false, walFrames: 12, copiedFrames: 5 };
    node.engine.methods.checkpoint = () => outcome;
    expect(checkpointOutcomeSchema.parse(json(await act(node, "POST", "/admin/checkpoint")))).toEqual(
      outcome,
    );
    node.engine.methods.checkpoint = () => new Promise(() => {});
    const late = await act(node, "POST", "/admin/checkpoint");
    expect(late.status).toBe(503);
    expect(problem(late)).toMatchObject({ code: "timeout", retryable: true });
  });

  test("POST /admin/verify begins, GET tells", async () => {
    await using node = await ready();
    const begun = await act(node, "POST", "/admin/verify");
    expect(begun.status).toBe(202);
    expect(verificationStatusSchema.parse(json(begun))).toMatchObject({ state: "running" });
    const answer = await get(`${node.url}/admin/verify`);
    expect(answer.status).toBe(200);
    expect(verificationStatusSchema.parse(json(answer))).toMatchObject({ pagesDone: 2, pagesTotal: 7 });
  });
});

describe("when it cannot be done", () => {
  test.each([
    ["POST", "/admin/replicas", "GET, HEAD"],
    ["GET", "/admin/replicas/edge", "DELETE"],
    ["DELETE", "/admin/wal", "GET, HEAD"],
    ["PUT", "/admin/snapshots", "GET, HEAD, POST"],
    ["GET", "/admin/checkpoint", "POST"],
    ["DELETE", "/admin/verify", "GET, HEAD, POST"],
    ["POST", "/status", "GET, HEAD"],
  ])("%s %s: 405, and what is allowed", async (method, path, allow) => {
    await using node = await ready();
    const answer = await act(node, method, path);
    expect([answer.status, answer.headers.allow]).toEqual([405, allow]);
    expect(problem(answer)).toMatchObject({ code: "not_found" });
  });

  test.each([
    ["GET", "/admin/wal"],
    ["DELETE", "/admin/replicas/a"],
    ["POST", "/admin/snapshots"],
    ["POST", "/admin/checkpoint"],
    ["GET", "/admin/verify"],
    ["POST", "/admin/verify"],
  ])("%s %s before there is an engine, and after it: 503 not_ready", async (method, path) => {
    await using node = await ServingNode.start();
    const early = await act(node, method, path);
    expect(early.status).toBe(503);
    expect(problem(early)).toMatchObject({ code: "not_ready", detail: "the node is starting" });
    node.commit(1);
    await whenReady(node.url);
    node.closeEngine();
    const late = await until(
      () => act(node, method, path),
      ({ status }) => status === 503,
    );
    expect(problem(late)).toMatchObject({ code: "not_ready", retryable: true });
  });

  test("an engine that is not ready to serve is asked all the same", async () => {
    await using node = await ServingNode.start();
    node.unready(new TailraceError("storage_failed", "the disk is full"));
    const answer = await until(
      () => act(node, "POST", "/admin/checkpoint"),
      ({ status }) => status === 200,
    );
    expect(json(answer)).toMatchObject({ isComplete: true });
  });

  test("an engine that hangs: what has to be answered at once is not waited for", async () => {
    await using node = await ready({ limits: { engineAnswerMs: 5, engineStatusMs: 5 } });
    node.engine.methods.segments = () => new Promise(() => {});
    const answer = await get(`${node.url}/admin/wal`);
    expect(answer.status).toBe(503);
    expect(problem(answer)).toMatchObject({ code: "timeout" });
    // Past a hundred unanswered questions it is not asked any more.
    const answers = await Promise.all(Array.from({ length: 101 }, () => get(`${node.url}/admin/wal`)));
    expect(answers.map((one) => problem(one).code)).toContain("overloaded");
  });

  test("a body is ignored, and a huge one not read to its end", async () => {
    await using node = await ready();
    const small = await fetch(`${node.url}/admin/checkpoint`, { method: "POST", body: "{}" });
    expect(small.status).toBe(200);
    expect(small.headers.get("connection")).not.toBe("close");
    await small.body?.cancel();

    const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
    const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    socket.on("error", () => {}).resume();
    socket.write(`POST /admin/checkpoint HTTP/1.1\r\nhost: node\r\ncontent-length: ${1 << 30}\r\n\r\n`);
    const chunk = Buffer.alloc(1 << 20);
    let sentBytes = 0;
    const write = (): void => {
      sentBytes += chunk.length;
      if (!socket.destroyed) socket.write(chunk, () => setImmediate(write));
    };
    write();
    await closed;
    expect(sentBytes).toBeLessThan(128 << 20);
  });
});

describe("pages of other sites", () => {
  const acts = [
    ["POST", "/admin/snapshots"],
    ["POST", "/admin/checkpoint"],
    ["POST", "/admin/verify"],
    ["DELETE", "/admin/replicas/a"],
  ] as const;

  test.each<[string, Record<string, string>]>([
    ["another origin", { origin: "https://example.com" }],
    ["a sandboxed page", { origin: "null" }],
    ["another port of this machine", { origin: "http://127.0.0.1:1" }],
    ["another site", { "sec-fetch-site": "cross-site" }],
    ["another origin of the site", { "sec-fetch-site": "same-site" }],
    ["a name that was given this machine's address", { origin: "http://evil.test:80", host: "evil.test:80" }],
    [
      "a name that looks like an address",
      { origin: "http://127.0.0.1.evil.test", host: "127.0.0.1.evil.test" },
    ],
    ["a name that looks like localhost", { origin: "http://notlocalhost", host: "notlocalhost" }],
  ])("cannot act: %s", async (_name, headers) => {
    await using node = await ready();
    node.engine.replicas = [madeUpReplica("a")];
    for (const [method, path] of acts) {
      const answer = await get(`${node.url}${path}`, { method, headers });
      expect(answer.status).toBe(403);
      expect(problem(answer)).toMatchObject({ code: "forbidden", retryable: false });
    }
    expect(node.engine.replicas).toHaveLength(1);
    expect((await get(`${node.url}/admin/replicas`, { headers })).status).toBe(200);
  });

  test("the node's own page, and what is no browser, can", async () => {
    await using node = await ready();
    for (const headers of [
      {},
      { origin: node.url, "sec-fetch-site": "same-origin" },
      { "sec-fetch-site": "none" },
      { origin: "http://localhost:4800", host: "localhost:4800" },
      { origin: "http://[::1]:4800", host: "[::1]:4800" },
      { origin: "http://192.168.1.5:4800", host: "192.168.1.5:4800" },
      { origin: "https://db.example.com", host: "db.example.com" },
      // No browser is behind it, whatever name a proxy gives it.
      { host: "db.example.com" },
    ] satisfies Record<string, string>[]) {
      expect((await get(`${node.url}/admin/checkpoint`, { method: "POST", headers })).status).toBe(200);
    }
  });
});
