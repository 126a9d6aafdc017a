import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { crc32, gunzipSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { get, problem, statusOf, until } from "../../test/harness/http.ts";
import { LOG_ID, ServingNode, whenReady } from "../../test/harness/serving-node.ts";
import { TailraceError } from "../errors.ts";
import { segmentPath } from "../log/segment-files.ts";
import { HEADER } from "../protocol.ts";
import type { Cursor } from "../units.ts";

/** A node with three sealed segments and an open one. */
async function fourSegments(): Promise<ServingNode> {
  const node = await ServingNode.start({ segmentSizeBytes: 2000 });
  node.commit(14);
  await whenReady(node.url);
  expect(node.log.end.segment).toBe(4);
  return node;
}

function logBytes(node: ServingNode, segment: number): Buffer {
  return readFileSync(segmentPath(join(node.folder, "log"), segment));
}

describe("GET /wal", () => {
  test("gives the log's own bytes, with every header of the contract", async () => {
    await using node = await ServingNode.start();
    node.commit(3);
    await whenReady(node.url);
    const answer = await get(`${node.url}/wal?segment=1&offset=80&max_bytes=100000`);
    const expected = logBytes(node, 1).subarray(80);
    expect(answer.status).toBe(200);
    expect(answer.body.equals(expected)).toBe(true);
    expect(answer.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": String(expected.length),
      "cache-control": "no-store",
      "wal-next-segment": "1",
      "wal-next-offset": String(80 + expected.length),
      "wal-eof": "1",
      "wal-checksum": `crc32:${crc32(expected).toString(16).padStart(8, "0")}`,
      "wal-log-id": LOG_ID,
      "wal-epoch": "1",
      "wal-head-txid": "3",
      "wal-head-segment": "1",
      "wal-head-offset": String(80 + expected.length),
      "wal-head-time": "1700000000003",
      "tailrace-protocol": "1",
    });
    expect(answer.headers["content-encoding"]).toBeUndefined();
  });

  test("knows of what the engine has said by then, also where the request is read first", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
    const answered = (): Promise<string> =>
      new Promise((resolve) => socket.once("data", (data) => resolve(String(data))));
    const ask = (): boolean =>
      socket.write("GET /wal?segment=1&offset=0&max_bytes=1 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    const first = answered();
    ask();
    expect(await first).toMatch(/wal-head-txid: 1\r/);
    // Both lie ready when the server, which is in this thread, comes to look.
    const second = answered();
    ask();
    node.commit(1);
    expect(await second).toMatch(/wal-head-txid: 2\r/);
    socket.destroy();
  });

  test("max_bytes cuts anywhere; the pieces make the whole, over all segments", async () => {
    await using node = await fourSegments();
    const pieces = new Map<number, Buffer[]>();
    let cursor = { segment: 1, offset: 0 };
    let eof = "0";
    for (let rounds = 0; eof === "0"; rounds++) {
      expect(rounds).toBeLessThan(100);
      const { headers, body, status } = await get(
        `${node.url}/wal?segment=${cursor.segment}&offset=${cursor.offset}&max_bytes=333`,
      );
      expect(status).toBe(200);
      expect(body.length).toBeGreaterThan(0);
      expect(headers["wal-checksum"]).toBe(`crc32:${crc32(body).toString(16).padStart(8, "0")}`);
      pieces.set(cursor.segment, [...(pieces.get(cursor.segment) ?? []), body]);
      cursor = {
        segment: Number(headers[HEADER.nextSegment]),
        offset: Number(headers[HEADER.nextOffset]),
      };
      eof = String(headers[HEADER.eof]);
    }
    expect(cursor).toEqual(node.log.end);
    for (const [segment, parts] of pieces)
      expect(Buffer.concat(parts).equals(logBytes(node, segment))).toBe(true);
  });

  test("the end of a sealed segment leads to the next one at once, without a wait", async () => {
    await using node = await fourSegments();
    const size = logBytes(node, 1).length;
    const answer = await get(`${node.url}/wal?segment=1&offset=${size}&max_bytes=1000&wait_ms=60000`);
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBe(0);
    expect(answer.headers).toMatchObject({
      "wal-next-segment": "2",
      "wal-next-offset": "0",
      "wal-eof": "0",
      "wal-checksum": "crc32:00000000",
      "content-length": "0",
    });
  });

  test("at the end there is an empty answer with the same cursor", async () => {
    await using node = await ServingNode.start();
    node.announce();
    await whenReady(node.url);
    const answer = await get(`${node.url}/wal?segment=1&offset=80&max_bytes=1000`);
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({
      "wal-next-segment": "1",
      "wal-next-offset": "80",
      "wal-eof": "1",
      "wal-head-txid": "0",
      "wal-checksum": "crc32:00000000",
    });
    // Before the first commit there is no time to tell.
    expect(answer.headers).not.toHaveProperty("wal-head-time");
  });

  test("bytes that are not durable yet do not exist", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    for (const fragment of node.history.record()) node.log.append(fragment);
    const answer = await get(`${node.url}/wal?segment=1&offset=0&max_bytes=100000`);
    expect(answer.headers[HEADER.headTxid]).toBe("1");
    expect(answer.body.length).toBeLessThan(logBytes(node, 1).length);
    expect(answer.headers[HEADER.eof]).toBe("1");
  });

  test("HEAD gives the headers alone", async () => {
    await using node = await fourSegments();
    const url = `${node.url}/wal?segment=1&offset=0&max_bytes=500`;
    const whole = await get(url);
    const head = await get(url, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(head.body.length).toBe(0);
    for (const name of ["wal-next-offset", "wal-checksum", "content-length", "etag", "wal-log-id"])
      expect(head.headers[name]).toBe(whole.headers[name]);
  });
});

describe("what cannot be answered", () => {
  test.each([
    ["max_bytes", "0"],
    ["max_bytes", "-1"],
    ["max_bytes", "1e12"],
    ["max_bytes", "1000000000000"],
    ["max_bytes", "16777217"],
    ["max_bytes", "text"],
    ["max_bytes", ""],
    ["max_bytes", "1.5"],
    ["max_bytes", " 1"],
    ["max_bytes", "0x10"],
    ["max_bytes", "99999999999999999999"],
    ["segment", "0"],
    ["segment", "-1"],
    ["segment", "one"],
    ["segment", "1:2"],
    ["offset", "-1"],
    ["offset", "NaN"],
    ["offset", "9007199254740993"],
    ["wait_ms", "-1"],
    ["wait_ms", "60001"],
    ["wait_ms", "soon"],
    ["applied_txid", "-1"],
    ["applied_txid", "x"],
    ["replica_id", ""],
    ["replica_id", "a\nb"],
    ["replica_id", "x".repeat(129)],
  ])("400 invalid_request for %s=%j, with key and value", async (key, value) => {
    await using node = await ServingNode.start();
    node.commit(1);
    const query = new URLSearchParams({ segment: "1", offset: "0", max_bytes: "100", [key]: value });
    const answer = await get(`${node.url}/wal?${query.toString()}`);
    expect(answer.status).toBe(400);
    const stated = problem(answer);
    expect(stated).toMatchObject({
      code: "invalid_request",
      retryable: false,
      status: 400,
      key,
      value: value.slice(0, 129),
    });
    expect(stated.detail).toContain(key);
    expect(stated.detail).toContain(JSON.stringify(value.slice(0, 100)));
  });

  test("400 for a cursor that is missing or stands twice", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    for (const [query, key] of [
      ["", "segment"],
      ["?segment=1", "offset"],
      ["?offset=0", "segment"],
      ["?segment=1&offset=0&segment=2", "segment"],
    ]) {
      const answer = await get(`${node.url}/wal${query}`);
      expect(answer.status).toBe(400);
      expect(problem(answer)).toMatchObject({ code: "invalid_request", key });
    }
  });

  test("400 for a log id or epoch that is none", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    for (const [name, value] of [
      [HEADER.logId, "nonsense"],
      [HEADER.epoch, "-1"],
    ] as const) {
      const answer = await get(`${node.url}/wal?segment=1&offset=0`, { headers: { [name]: value } });
      expect(answer.status).toBe(400);
      expect(problem(answer)).toMatchObject({ code: "invalid_request", key: name, value });
    }
  });

  test("404 segment_unknown for a segment that never was", async () => {
    await using node = await fourSegments();
    for (const segment of [5, 6, 9_007_199_254_740_991]) {
      const answer = await get(`${node.url}/wal?segment=${segment}&offset=0&max_bytes=100&wait_ms=60000`);
      expect(answer.status).toBe(404);
      expect(problem(answer).code).toBe("segment_unknown");
    }
  });

  test("409 log_diverged for a follower of another log, stale_epoch for one that has seen a newer epoch", async () => {
    await using node = await fourSegments();
    const url = `${node.url}/wal?segment=1&offset=0&max_bytes=100`;
    const other = await get(url, { headers: { [HEADER.logId]: "f".repeat(32) } });
    expect(other.status).toBe(409);
    expect(problem(other).code).toBe("log_diverged");
    const newer = await get(url, { headers: { [HEADER.logId]: LOG_ID, [HEADER.epoch]: "2" } });
    expect(newer.status).toBe(409);
    expect(problem(newer).code).toBe("stale_epoch");
    const same = await get(url, { headers: { [HEADER.logId]: LOG_ID, [HEADER.epoch]: "1" } });
    expect(same.status).toBe(200);
    // An unknown segment of another log is a matter of the log.
    const both = await get(`${node.url}/wal?segment=99&offset=0`, {
      headers: { [HEADER.logId]: "f".repeat(32) },
    });
    expect(both.status).toBe(409);
  });

  test("410 segment_trimmed for what retention has removed", async () => {
    await using node = await fourSegments();
    node.log.dropBefore(3);
    // The server has not heard of it yet: the file is gone all the same.
    const early = await get(`${node.url}/wal?segment=2&offset=80&max_bytes=100`);
    expect(early.status).toBe(410);
    node.commit(1);
    for (const [segment, offset] of [
      [1, 0],
      [2, 80],
      [2, 99_999],
    ]) {
      const answer = await get(`${node.url}/wal?segment=${segment}&offset=${offset}&max_bytes=100`);
      expect(answer.status).toBe(410);
      expect(problem(answer)).toMatchObject({ code: "segment_trimmed", retryable: false });
    }
    expect((await get(`${node.url}/wal?segment=3&offset=0&max_bytes=100`)).status).toBe(200);
  });

  test("410 before the start of a replica's log copy, which may lie within a segment", async () => {
    await using node = await fourSegments();
    const { head } = node;
    Object.defineProperty(node, "head", { get: () => ({ ...head, start: { segment: 2, offset: 696 } }) });
    node.announce();
    await until(
      () => get(`${node.url}/wal?segment=1&offset=0&max_bytes=100`),
      ({ status }) => status === 410,
    );
    expect((await get(`${node.url}/wal?segment=2&offset=0&max_bytes=100`)).status).toBe(410);
    expect((await get(`${node.url}/wal?segment=2&offset=695&max_bytes=100`)).status).toBe(410);
    expect((await get(`${node.url}/wal?segment=2&offset=696&max_bytes=100`)).status).toBe(200);
  });

  test("416 offset_out_of_range past the end of any segment, and never a wait for it", async () => {
    await using node = await fourSegments();
    const sealed = logBytes(node, 2).length;
    for (const [segment, offset] of [
      [2, sealed + 1],
      [node.log.end.segment, node.log.end.offset + 1],
      [node.log.end.segment, 9_007_199_254_740_991],
    ]) {
      const answer = await get(
        `${node.url}/wal?segment=${segment}&offset=${offset}&max_bytes=100&wait_ms=60000`,
      );
      expect(answer.status).toBe(416);
      expect(problem(answer).code).toBe("offset_out_of_range");
    }
  });

  test("503 not_ready past the end of a replica that gets there yet, so that nobody goes back with it", async () => {
    await using node = await ServingNode.start({ role: "replica" });
    node.commit(1);
    const { segment, offset } = node.log.end;
    const askedPast = async (bytes: number, sourceEnd: Cursor | null): Promise<string> => {
      node.standing = { sourceEnd };
      node.announce();
      const query = `segment=${segment}&offset=${offset + bytes}&max_bytes=100&wait_ms=60000`;
      return problem(await get(`${node.url}/wal?${query}`)).code;
    };
    await whenReady(node.url);
    expect(await askedPast(1, null)).toBe("not_ready");
    expect(await askedPast(100, { segment, offset: offset + 100 })).toBe("not_ready");
    expect(await askedPast(101, { segment, offset: offset + 100 })).toBe("offset_out_of_range");
    expect(await askedPast(1, { segment, offset })).toBe("offset_out_of_range");
    expect(await askedPast(101, { segment: segment + 1, offset: 80 })).toBe("not_ready");
  });

  test("503 not_ready with retry-after before the engine has spoken, while it cannot serve, and when it is gone", async () => {
    await using node = await ServingNode.start();
    const url = `${node.url}/wal?segment=1&offset=0&max_bytes=100`;
    const starting = await get(url);
    expect(starting.status).toBe(503);
    expect(starting.headers["retry-after"]).toBe("1");
    expect(problem(starting)).toMatchObject({ code: "not_ready", retryable: true });

    node.commit(1);
    await whenReady(node.url);
    node.unready(new TailraceError("damaged", "log segment 1 is damaged at offset 80"));
    const damaged = await until(
      () => get(url),
      ({ status }) => status !== 200,
    );
    expect(damaged.status).toBe(503);
    expect(problem(damaged)).toMatchObject({
      code: "damaged",
      detail: "log segment 1 is damaged at offset 80",
    });

    node.unready(null);
    await whenReady(node.url);
    node.closeEngine();
    const gone = await until(
      () => get(url),
      ({ status }) => status !== 200,
    );
    expect(gone.status).toBe(503);
    expect(problem(gone)).toMatchObject({ code: "not_ready" });
  });

  test("a segment that is shorter on disk than the engine said is not served as if it were whole", async () => {
    await using node = await ServingNode.start();
    node.commit(2);
    await whenReady(node.url);
    const { end } = node.log;
    node.history.record();
    const lying = { ...node.head, end: { ...end, offset: end.offset + 100 } };
    Object.defineProperty(node, "head", { get: () => lying });
    node.announce();
    const answer = await until(
      () => get(`${node.url}/wal?segment=1&offset=0&max_bytes=100000`),
      ({ status }) => status !== 200,
    );
    expect(answer.status).toBe(503);
    expect(problem(answer).code).toBe("damaged");
  });

  test("an unknown path is 404, another method 405; both say what the node speaks", async () => {
    await using node = await ServingNode.start();
    const unknown = await get(`${node.url}/wall`);
    expect(unknown.status).toBe(404);
    expect(problem(unknown).code).toBe("not_found");
    const posted = await get(`${node.url}/wal`, { method: "POST" });
    expect(posted.status).toBe(405);
    expect(posted.headers.allow).toBe("GET, HEAD");
    expect(posted.headers[HEADER.protocol]).toBe("1");
  });
});

describe("waiting", () => {
  test("a request at the end is held, and answered by the next commit", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    const { end } = node.log;
    const held = get(`${node.url}/wal?segment=1&offset=${end.offset}&max_bytes=10000&wait_ms=60000`);
    await until(
      () => statusOf(node.url),
      ({ waitingRequests }) => waitingRequests === 1,
    );
    node.commit(1);
    const answer = await held;
    expect(answer.status).toBe(200);
    expect(answer.body.equals(logBytes(node, 1).subarray(end.offset))).toBe(true);
    expect(answer.headers[HEADER.headTxid]).toBe("2");
    expect(await statusOf(node.url)).toMatchObject({ waitingRequests: 0 });
  });

  test("a head that brings nothing past the cursor resumes nobody", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    const held = get(`${node.url}/wal?segment=1&offset=${node.log.end.offset}&max_bytes=10000&wait_ms=60000`);
    await until(
      () => statusOf(node.url),
      ({ waitingRequests }) => waitingRequests === 1,
    );
    node.announce();
    node.announce();
    expect(await statusOf(node.url)).toMatchObject({ waitingRequests: 1 });
    node.commit(1);
    expect((await held).body.length).toBeGreaterThan(0);
  });

  test("after wait_ms without anything new there is an empty 200", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    const answer = await get(
      `${node.url}/wal?segment=1&offset=${node.log.end.offset}&max_bytes=10000&wait_ms=30`,
    );
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBe(0);
    expect(answer.headers).toMatchObject({
      "wal-eof": "1",
      "wal-next-offset": String(node.log.end.offset),
      "wal-checksum": "crc32:00000000",
    });
  });

  test("those who wait are told when the log becomes another, and when the node cannot serve any more", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    const url = `${node.url}/wal?segment=1&offset=${node.log.end.offset}&max_bytes=10000&wait_ms=60000`;
    const held = get(url, { headers: { [HEADER.logId]: LOG_ID } });
    await until(
      () => statusOf(node.url),
      ({ waitingRequests }) => waitingRequests === 1,
    );
    node.logId = "e".repeat(32);
    node.announce();
    expect(problem(await held).code).toBe("log_diverged");

    const heldAgain = get(url);
    await until(
      () => statusOf(node.url),
      ({ waitingRequests }) => waitingRequests === 1,
    );
    node.unready(new TailraceError("not_ready", "stopping", { retryable: true }));
    const answer = await heldAgain;
    expect(answer.status).toBe(503);
    expect(problem(answer).code).toBe("not_ready");
  });

  test("one who goes away while waiting is forgotten", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
    socket.write(
      `GET /wal?segment=1&offset=${node.log.end.offset}&wait_ms=60000 HTTP/1.1\r\nhost: x\r\n\r\n`,
    );
    await until(
      () => statusOf(node.url),
      ({ waitingRequests }) => waitingRequests === 1,
    );
    socket.destroy();
    await until(
      () => statusOf(node.url),
      ({ waitingRequests }) => waitingRequests === 0,
    );
    node.commit(1);
    await whenReady(node.url);
  });

  test("past the limit of waiting requests: 503 overloaded with retry-after", async () => {
    await using node = await ServingNode.start({ limits: { maxWaitingRequests: 2 } });
    node.commit(1);
    await whenReady(node.url);
    const url = `${node.url}/wal?segment=1&offset=${node.log.end.offset}&max_bytes=10000&wait_ms=60000`;
    const held = [get(url), get(url)];
    await until(
      () => statusOf(node.url),
      ({ waitingRequests }) => waitingRequests === 2,
    );
    const refused = await get(url);
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toBe("1");
    expect(problem(refused)).toMatchObject({ code: "overloaded", retryable: true });
    // Who does not wait is served all the same.
    expect((await get(`${node.url}/wal?segment=1&offset=0&max_bytes=100`)).status).toBe(200);
    node.commit(1);
    for (const { status: code } of await Promise.all(held)) expect(code).toBe(200);
  });

  test("a thousand who wait are all told of one commit, and get the same bytes", async () => {
    await using node = await ServingNode.start({ isThreaded: true });
    node.commit(1);
    await whenReady(node.url);
    const { end } = node.log;
    const url = `${node.url}/wal?segment=1&offset=${end.offset}&max_bytes=100000&wait_ms=60000`;
    const held = Array.from({ length: 1000 }, () => get(url));
    await until(
      () => statusOf(node.url),
      ({ waitingRequests }) => waitingRequests === 1000,
    );
    node.commit(1, { fragments: 4, pagesEach: 8 });
    const answers = await Promise.all(held);
    const expected = logBytes(node, 1).subarray(end.offset);
    for (const { status: code, body } of answers) {
      expect(code).toBe(200);
      expect(body.equals(expected)).toBe(true);
    }
  });

  test("closing answers those who wait at once", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    const held = get(`${node.url}/wal?segment=1&offset=${node.log.end.offset}&wait_ms=60000`);
    await until(
      () => statusOf(node.url),
      ({ waitingRequests }) => waitingRequests === 1,
    );
    const closed = node.closeServer(60_000);
    const answer = await held;
    expect(answer.status).toBe(503);
    expect(problem(answer)).toMatchObject({ code: "not_ready", detail: "the node is stopping" });
    await closed;
    await expect(get(node.url)).rejects.toThrow("ECONNREFUSED");
  });
});

describe("compression", () => {
  test.each([
    ["zstd", "zstd"],
    ["zstd, gzip", "zstd"],
    ["gzip, zstd", "zstd"],
    ["gzip", "gzip"],
    ["gzip;q=1, zstd;q=0.5", "gzip"],
    ["zstd;q=0, gzip", "gzip"],
    ["*", "zstd"],
    ["br, deflate", undefined],
    ["identity", undefined],
    ["zstd;q=0", undefined],
    ["identity, zstd;q=0.1", undefined],
    ["", undefined],
  ])(
    "accept-encoding %j is answered with %s; the checksum is of the decoded body",
    async (accepted, encoding) => {
      await using node = await ServingNode.start();
      node.commit(5);
      await whenReady(node.url);
      const answer = await get(`${node.url}/wal?segment=1&offset=0&max_bytes=100000`, {
        headers: { "accept-encoding": accepted },
      });
      expect(answer.status).toBe(200);
      expect(answer.headers["content-encoding"]).toBe(encoding);
      expect(answer.headers["vary"]).toBe("accept-encoding, wal-log-id, wal-epoch");
      expect(answer.headers["content-length"]).toBe(String(answer.body.length));
      const decoded =
        encoding === "zstd"
          ? zstdDecompressSync(answer.body)
          : encoding === "gzip"
            ? gunzipSync(answer.body)
            : answer.body;
      const expected = logBytes(node, 1);
      expect(decoded.equals(expected)).toBe(true);
      expect(answer.headers[HEADER.checksum]).toBe(`crc32:${crc32(expected).toString(16).padStart(8, "0")}`);
    },
  );

  test("an empty body is not encoded", async () => {
    await using node = await ServingNode.start();
    node.commit(1);
    await whenReady(node.url);
    const answer = await get(`${node.url}/wal?segment=1&offset=${node.log.end.offset}&max_bytes=100000`, {
      headers: { "accept-encoding": "zstd, gzip" },
    });
    expect(answer.body.length).toBe(0);
    expect(answer.headers["content-encoding"]).toBeUndefined();
  });
});

describe("caching", () => {
  test("a chunk of a sealed segment is immutable and says so; the open one is not to be stored", async () => {
    await using node = await fourSegments();
    const sealed = await get(`${node.url}/wal?segment=1&offset=80&max_bytes=500`);
    expect(sealed.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    expect(sealed.headers.etag).toMatch(/^"[^"]+"$/);
    const again = await get(`${node.url}/wal?segment=1&offset=80&max_bytes=500`);
    expect(again.headers.etag).toBe(sealed.headers.etag);
    const others = [
      await get(`${node.url}/wal?segment=1&offset=80&max_bytes=501`),
      await get(`${node.url}/wal?segment=1&offset=81&max_bytes=500`),
      await get(`${node.url}/wal?segment=2&offset=80&max_bytes=500`),
      await get(`${node.url}/wal?segment=1&offset=80&max_bytes=500`, {
        headers: { "accept-encoding": "zstd" },
      }),
    ];
    expect(new Set([sealed, ...others].map(({ headers }) => headers.etag)).size).toBe(5);

    const open = await get(`${node.url}/wal?segment=${node.log.end.segment}&offset=0&max_bytes=100`);
    expect(open.headers["cache-control"]).toBe("no-store");
    expect(open.headers.etag).toBeUndefined();
    const size = logBytes(node, 1).length;
    const pastEnd = await get(`${node.url}/wal?segment=1&offset=${size}&max_bytes=100`);
    expect(pastEnd.headers["cache-control"]).toBe("no-store");
  });

  test("304 for the tag of a sealed chunk", async () => {
    await using node = await fourSegments();
    const url = `${node.url}/wal?segment=1&offset=80&max_bytes=500`;
    for (const encoding of ["identity", "zstd", "gzip"]) {
      const first = await get(url, { headers: { "accept-encoding": encoding } });
      const etag = first.headers.etag!;
      for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
        const answer = await get(url, { headers: { "accept-encoding": encoding, "if-none-match": tag } });
        expect(answer.status).toBe(304);
        expect(answer.body.length).toBe(0);
        expect(answer.headers.etag).toBe(etag);
        expect(answer.headers["cache-control"]).toContain("immutable");
        expect(answer.headers[HEADER.nextOffset]).toBe("580");
      }
      const changed = await get(url, {
        headers: { "accept-encoding": encoding, "if-none-match": '"other"' },
      });
      expect(changed.status).toBe(200);
    }
  });
});

describe("bounds", () => {
  test("what slow readers hold is limited; a chunk that many hold counts once", async () => {
    // A chunk larger than any socket buffer, so that a reader who reads nothing holds it.
    await using node = await ServingNode.start({
      segmentSizeBytes: 64 << 20,
      limits: { maxInFlightBytes: 20 << 20, cacheBytes: 1 },
    });
    node.commit(40, { pagesEach: 1024 });
    await whenReady(node.url);
    const size = 16 << 20;
    const { port } = new URL(node.url);
    const slowReader = (offset: number): Promise<Socket> =>
      new Promise((resolve) => {
        const socket = connect(Number(port), "127.0.0.1");
        socket.write(`GET /wal?segment=1&offset=${offset}&max_bytes=${size} HTTP/1.1\r\nhost: x\r\n\r\n`);
        socket.once("data", (head: Buffer) => {
          socket.pause();
          expect(head.toString("latin1", 0, 15)).toBe("HTTP/1.1 200 OK");
          resolve(socket);
        });
      });
    const url = (offset: number): string => `${node.url}/wal?segment=1&offset=${offset}&max_bytes=${size}`;

    const readers = [await slowReader(0), await slowReader(0), await slowReader(0)];
    const refused = await get(url(1));
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toBe("1");
    expect(problem(refused)).toMatchObject({ code: "overloaded", retryable: true });
    // Small chunks still fit.
    expect((await get(`${node.url}/wal?segment=1&offset=7&max_bytes=1000`)).status).toBe(200);
    for (const reader of readers) reader.destroy();
    const answer = await until(
      () => get(url(1)),
      ({ status: code }) => code === 200,
    );
    expect(answer.body.length).toBe(size);
  });

  test("a request with more header bytes than the limit is refused, and the node goes on", async () => {
    await using node = await fourSegments();
    const answer = await get(`${node.url}/wal?segment=1&offset=0`, {
      headers: { "x-long": "x".repeat(20_000) },
    });
    expect(answer.status).toBe(431);
    const long = await get(`${node.url}/wal?segment=1&offset=0&replica_id=${"x".repeat(15_000)}`);
    expect(long.status).toBe(400);
    expect((await get(`${node.url}/wal?segment=1&offset=0`)).status).toBe(200);
  });

  test("a body is not wanted, and harms nobody", async () => {
    await using node = await fourSegments();
    const answer = await fetch(`${node.url}/wal`, { method: "POST", body: Buffer.alloc(5 << 20) }).catch(
      () => undefined,
    );
    expect([405, undefined]).toContain(answer?.status);
    expect((await get(`${node.url}/wal?segment=1&offset=0`)).status).toBe(200);
  });

  test.each([
    "GET",
    "GET /wal",
    "\0\0\0\0",
    "GET //[ HTTP/1.1\r\nhost: [\r\n\r\n",
    "GET /wal?%zz=%ff HTTP/1.1\r\nhost: \r\n\r\n",
  ])("nonsense on the socket (%j) is an error for the one who sent it", async (text) => {
    await using node = await fourSegments();
    const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
    const closed = new Promise((resolve) => socket.on("close", resolve));
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.on("error", () => {});
    socket.end(`${text}\r\n\r\n`);
    await closed;
    expect(Buffer.concat(parts).toString()).toMatch(/^HTTP\/1\.1 4\d\d/);
    expect((await get(`${node.url}/wal?segment=1&offset=0`)).status).toBe(200);
  });
});
