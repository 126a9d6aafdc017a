import { expect, test } from "vitest";
import { ServingNode } from "../../test/harness/serving-node.ts";
import { timeHeaders } from "./time-headers.ts";
import { get, until } from "../../test/harness/http.ts";

const NOW_MS = 1_700_000_100_000;
const head = {
  logId: "00",
  epoch: 1,
  pageSizeBytes: 512,
  txid: 3,
  commitTimeMs: 1_700_000_000_000,
  databaseChecksum: "00",
  start: { segment: 1, offset: 0 },
  end: { segment: 1, offset: 80 },
};

test.each([
  ["a primary tells its own clock", {}, undefined, { "wal-time": `${NOW_MS}` }],
  ["a replica the primary's", { clockOffsetMs: -2500.4 }, undefined, { "wal-time": `${NOW_MS - 2500}` }],
  ["one that does not know it tells nothing", { clockOffsetMs: null, freshAsOfMs: 5 }, undefined, {}],
  [
    "a replica that is behind tells as of when its head was all there is",
    { clockOffsetMs: 40, freshAsOfMs: NOW_MS - 900 },
    undefined,
    { "wal-time": `${NOW_MS + 40}`, "wal-fresh-time": `${NOW_MS - 900}` },
  ],
  [
    "one whose primary has no clock of its own",
    { clockOffsetMs: -NOW_MS - 5 },
    undefined,
    { "wal-time": "0" },
  ],
  ["an engine that is busy for a moment is not hanging", {}, NOW_MS - 2000, { "wal-time": `${NOW_MS}` }],
  [
    "of one that hangs, the head is of when it last could have spoken",
    { clockOffsetMs: 40 },
    NOW_MS - 9000,
    { "wal-time": `${NOW_MS + 40}`, "wal-fresh-time": `${NOW_MS - 8960}` },
  ],
  [
    "or of earlier",
    { freshAsOfMs: NOW_MS - 9001 },
    NOW_MS - 9000,
    { "wal-time": `${NOW_MS}`, "wal-fresh-time": `${NOW_MS - 9001}` },
  ],
] as const)("%s", (_name, clock, owedSinceMs, expected) => {
  expect(timeHeaders({ ...head, ...clock }, NOW_MS, owedSinceMs)).toEqual(expected);
});

test("every answer of /wal has the clock as of that answer: out of the cache, to HEAD, and with nothing in it", async () => {
  let nowMs = NOW_MS;
  await using node = await ServingNode.start({ segmentSizeBytes: 2000, clock: () => nowMs, role: "replica" });
  node.standing = { clockOffsetMs: 1000, freshAsOfMs: 42 };
  node.commit(9);
  const url = `${node.url}/wal?segment=1&offset=0&max_bytes=1000`;
  const first = await until(
    () => get(url),
    ({ status }) => status === 200,
  );
  const requests = [
    {},
    { method: "HEAD" },
    { headers: { "if-none-match": String(first.headers["etag"]) } },
  ] as const;
  for (const request of requests) {
    nowMs += 5000;
    const { headers } = await get(url, request);
    expect(headers["wal-time"]).toBe(String(nowMs + 1000));
    expect(headers["wal-fresh-time"]).toBe("42");
  }
});

test("a primary whose engine hangs does not pass its old head for a new one", async () => {
  let nowMs = NOW_MS;
  await using node = await ServingNode.start({ clock: () => nowMs });
  let isOwed = false;
  node.engine.methods.report = () => {
    isOwed = true;
    return new Promise(() => {});
  };
  node.commit(1);
  const url = `${node.url}/wal?segment=1&offset=80&replica_id=edge`;
  await until(
    () => get(url),
    ({ status }) => status === 200 && isOwed,
  );
  nowMs += 5000;
  const late = await until(
    () => get(url),
    ({ headers }) => headers["wal-fresh-time"] !== undefined,
  );
  expect(late.headers).toMatchObject({ "wal-time": String(nowMs), "wal-fresh-time": String(NOW_MS) });
});

test("whoever waits at a replica hears at once that it has lost touch: until then he takes himself for fresh", async () => {
  await using node = await ServingNode.start({ clock: () => NOW_MS, role: "replica" });
  node.standing = { clockOffsetMs: 0, freshAsOfMs: null };
  node.commit(1);
  const { segment, offset } = node.log.end;
  const url = (waitMs: number): string =>
    `${node.url}/wal?segment=${segment}&offset=${offset}&wait_ms=${waitMs}`;
  await until(
    () => get(url(0)),
    ({ status }) => status === 200,
  );
  const held = get(url(60_000));
  await until(
    () => get(`${node.url}/status`),
    ({ body }) => (JSON.parse(body.toString()) as { waitingRequests: number }).waitingRequests === 1,
  );
  node.standing = { clockOffsetMs: 0, freshAsOfMs: NOW_MS - 5000 };
  node.announce();
  const { status, headers, body } = await held;
  expect([status, body.length, headers["wal-fresh-time"]]).toEqual([200, 0, String(NOW_MS - 5000)]);
});
