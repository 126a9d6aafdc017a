import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { crc32, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hex32 } from "../shared/units.ts";
import { startFollowing } from "./follow-thread.ts";
import type { FollowThread } from "./follow-thread.ts";
import { LogPrimary } from "../test/harness/log-primary.ts";

/*
 * Something between the replica and its primary: it passes on what it gets, but may spoil it first. Whatever it does, the
 * replica applies nothing that is not verified, says what is wrong, and goes on by itself once it stops.
 */
type Spoil = (request: IncomingMessage, response: ServerResponse, answer: Upstream) => boolean;
interface Upstream {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

let folder: string;
let primary: LogPrimary;
let proxy: Server;
let url: string;
let spoil: Spoil | undefined;
let replica: FollowThread | undefined;

async function begin(): Promise<void> {
  folder = mkdtempSync(path.join(os.tmpdir(), "tailrace-hostile-"));
  primary = new LogPrimary(path.join(folder, "primary"));
  primary.insert(500);
  await primary.listen();
  proxy = createServer((request, response) => void pass(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

async function end(): Promise<void> {
  spoil = undefined;
  await replica?.close();
  replica = undefined;
  proxy.closeAllConnections();
  proxy.close();
  await primary.close();
  rmSync(folder, { recursive: true, force: true });
}

async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers: Record<string, string> = {};
  for (const name of ["range", "if-range", "accept", "wal-log-id", "wal-epoch"]) {
    const value = request.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  // Long polls are cut short, so that a spoilt answer comes soon.
  const target = (request.url ?? "").replace(/wait_ms=\d+/, "wait_ms=200");
  const method = request.method ?? "GET";
  const answer = await fetch(primary.url + target, {
    method,
    headers: { ...headers, "accept-encoding": "identity" },
  });
  const body = Buffer.from(await answer.arrayBuffer());
  const upstream = { status: answer.status, headers: Object.fromEntries(answer.headers), body };
  for (const hop of ["connection", "keep-alive", "transfer-encoding"]) delete upstream.headers[hop];
  if (spoil?.(request, response, upstream) === true) return;
  response.writeHead(upstream.status, upstream.headers).end(method === "HEAD" ? undefined : body);
}

async function follow(): Promise<FollowThread> {
  const file = path.join(folder, "edge.db");
  replica = await startFollowing({
    primary: url,
    file,
    dataDir: `${file}-tailrace`,
    driverName: "node:sqlite",
    durability: "os",
    onForeignWrite: "stop",
  });
  return replica;
}

const isLog = (request: IncomingMessage): boolean => request.url?.startsWith("/wal") === true;
const isImage = (request: IncomingMessage): boolean =>
  request.url === "/snapshot/latest" && request.method === "GET";
/** The newest error's code, if it is from after that moment. */
function errorSince(timeMs: number): string | undefined {
  const { lastError } = replica!.status();
  return lastError !== null && lastError.timeMs > timeMs ? lastError.code : undefined;
}

/** The body as it is, under the headers that were made for the true one, but for its length. */
function send(
  response: ServerResponse,
  answer: Upstream,
  body: Buffer,
  headers: Record<string, string> = {},
): true {
  const length = { "content-length": String(body.length) };
  response.writeHead(answer.status, { ...answer.headers, ...length, ...headers }).end(body);
  return true;
}

const spoilers: Record<string, { readonly code: string; readonly spoil: Spoil }> = {
  "flips a bit of the log": {
    code: "protocol_violation",
    spoil: (_request, response, answer) => {
      if (answer.body.length === 0) return false;
      const body = Buffer.from(answer.body);
      body[body.length >> 1]! ^= 1;
      return send(response, answer, body);
    },
  },
  "sends half of a chunk, and its length": {
    code: "protocol_violation",
    spoil: (_request, response, answer) =>
      answer.body.length > 0 && send(response, answer, answer.body.subarray(0, answer.body.length >> 1)),
  },
  "breaks off in the middle of a chunk": {
    code: "unreachable",
    spoil: (_request, response, { headers, body }) => {
      if (body.length === 0) return false;
      response.writeHead(200, headers);
      response.write(body.subarray(0, body.length >> 1), () => response.destroy());
      return true;
    },
  },
  "claims that a chunk leads elsewhere": {
    code: "protocol_violation",
    spoil: (_request, response, answer) => send(response, answer, answer.body, { "wal-next-offset": "12" }),
  },
  "leaves a header out": {
    code: "protocol_violation",
    spoil: (_request, response, answer) => {
      delete answer.headers["wal-checksum"];
      return send(response, answer, answer.body);
    },
  },
  "answers in an encoding that it is not in": {
    code: "protocol_violation",
    spoil: (_request, response, answer) =>
      send(response, answer, answer.body, { "content-encoding": "zstd" }),
  },
  "sends a bomb": {
    code: "protocol_violation",
    spoil: (_request, response, answer) =>
      send(response, answer, gzipSync(Buffer.alloc(64 << 20)), { "content-encoding": "gzip" }),
  },
  "never stops sending": {
    code: "protocol_violation",
    spoil: (_request, response, { headers }) => {
      delete headers["content-length"];
      response.writeHead(200, headers);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 20)));
      };
      response.on("drain", more);
      more();
      return true;
    },
  },
  "answers with somebody's web page": {
    code: "not_tailrace",
    spoil: (_request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<h1>It works!</h1>");
      return true;
    },
  },
  "says that its gateway is down": {
    code: "unreachable",
    spoil: (_request, response) => {
      response.writeHead(502).end("bad gateway");
      return true;
    },
  },
  "writes its log as a later version does": {
    code: "unknown_version",
    spoil: (_request, response, answer) => {
      if (answer.body.length === 0) return false;
      const body = Buffer.from(answer.body);
      // Flags of a record, and the checksum of its header.
      body.writeUInt32LE(0x8000_0000, 64);
      body.writeUInt32LE(crc32(body.subarray(0, 92)), 92);
      return send(response, answer, body, { "wal-checksum": `crc32:${hex32(crc32(body))}` });
    },
  },
  "belongs to an older epoch": {
    code: "stale_epoch",
    spoil: (_request, response, answer) => send(response, answer, answer.body, { "wal-epoch": "0" }),
  },
};

describe("with something in between that", () => {
  beforeAll(async () => {
    await begin();
    await (await follow()).sync();
  });
  afterAll(end);

  test.each(Object.keys(spoilers))("%s, the replica says so and recovers", async (name) => {
    const { code, spoil: spoiler } = spoilers[name]!;
    const startMs = Date.now();
    spoil = (request, response, answer) => isLog(request) && spoiler(request, response, answer);
    const txid = primary.insert(3);
    await expect.poll(() => errorSince(startMs), { timeout: 10_000 }).toBe(code);
    spoil = undefined;
    await replica!.waitFor(txid);
    expect(replica!.status()).toMatchObject({
      position: { databaseChecksum: primary.checksum },
      resyncs: 0,
    });
  });
});

describe("with something in between that, while it bootstraps,", () => {
  beforeEach(begin);
  afterEach(end);

  test("spoils the snapshot, a bootstrap never lets it through", async () => {
    let attempts = 0;
    spoil = (request, response, answer) => {
      if (!isImage(request) || ++attempts > 1) return false;
      const body = Buffer.from(answer.body);
      body[5000]! ^= 1;
      return send(response, answer, body);
    };
    await (
      await follow()
    ).ready;
    expect(attempts).toBeGreaterThan(1);
    await replica!.sync();
    expect(replica!.status()).toMatchObject({ position: { databaseChecksum: primary.checksum } });
  });

  test("breaks off the snapshot, a bootstrap goes on where it was", async () => {
    primary.insert(2000, 4000);
    primary.renewSnapshot();
    const ranges: (string | undefined)[] = [];
    spoil = (request, response, { status, headers, body }) => {
      if (!isImage(request)) return false;
      ranges.push(request.headers.range);
      if (ranges.length > 1) return false;
      response.writeHead(status, headers);
      response.write(body.subarray(0, 3_000_000), () => response.destroy());
      return true;
    };
    await (
      await follow()
    ).ready;
    expect(ranges[0]).toBeUndefined();
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d+-$/);
    await replica!.sync();
    expect(replica!.status()).toMatchObject({ position: { databaseChecksum: primary.checksum } });
  });
});

describe("the way to a primary", () => {
  beforeEach(begin);
  afterEach(end);

  test("a URL that leads to no Tailrace node is refused at once", async () => {
    spoil = (_request, response) => {
      response.writeHead(404, { "content-type": "text/html" }).end("<h1>Not found</h1>");
      return true;
    };
    await expect((await follow()).ready).rejects.toMatchObject({ code: "not_tailrace" });
  });

  test("a primary that is merely not there yet is waited for", async () => {
    await primary.unlisten();
    await follow();
    await expect.poll(() => errorSince(0), { timeout: 10_000 }).toMatch(/unreachable|not_tailrace/);
    await primary.listen();
    await replica!.ready;
  });

  test("a primary whose page size has changed stops the replica, which keeps its file", async () => {
    await (await follow()).sync();
    const failed = new Promise<{ code: string }>((resolve) => replica!.on("failed", resolve));
    spoil = (request, response) => {
      const headers = {
        "tailrace-protocol": "1",
        "wal-log-id": "f".repeat(32),
        "wal-epoch": "1",
        "wal-segment": "1",
        "wal-offset": "80",
        "snapshot-generation": "1",
        "snapshot-txid": "0",
        "snapshot-page-size": "8192",
        "snapshot-page-count": "2",
        "snapshot-database-checksum": "0".repeat(16),
        etag: '"x"',
      };
      response.writeHead(isLog(request) ? 409 : 200, headers);
      response.end(
        request.method === "HEAD"
          ? undefined
          : JSON.stringify({ code: "log_diverged", detail: "another log" }),
      );
      return true;
    };
    expect((await failed).code).toBe("page_size_changed");
  });
});
