import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { get, statusOf, until } from "../../test/harness/http.ts";
import { ServingNode, whenReady } from "../../test/harness/serving-node.ts";

/** Larger than what two sockets hold. */
const PAGES = 40_000;
const QUICK = { minBytesPerSecond: 1 << 30, answerGraceMs: 300 };

let node: ServingNode;
let socket: Socket;
afterEach(async () => {
  socket.destroy();
  await node[Symbol.asyncDispose]();
});

/** Asks, takes a little of the answer now and then, and never the rest. */
async function trickle(target: string): Promise<void> {
  socket = connect(Number(new URL(node.url).port), "127.0.0.1");
  socket.on("error", () => {});
  socket.write(`GET ${target} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await once(socket, "readable");
  const timer = setInterval(() => socket.read(1), 10);
  socket.once("close", () => clearInterval(timer));
}

async function start(): Promise<void> {
  node = await ServingNode.start({ limits: QUICK, segmentSizeBytes: 64 << 20 });
  node.commit();
  await whenReady(node.url);
}

test("a download that trickles holds its snapshot for a time in proportion to its size, not for ever", async () => {
  await start();
  node.snapshot = () => node.makeSnapshot(1, PAGES);
  await trickle("/snapshot/latest");
  const downloads = async (): Promise<unknown> => (await statusOf(node.url))["downloads"];
  expect(await downloads()).toBe(1);
  await until(downloads, (count) => count === 0);
});

async function inFlightBytes(): Promise<number> {
  const { body } = await get(`${node.url}/metrics`);
  return Number(/^tailrace_in_flight_bytes (\d+)/m.exec(body.toString())?.[1]);
}

test("a chunk of the log that is not taken is held no longer than that", async () => {
  await start();
  for (let count = 0; count < 20; count++) node.commit(1, { pagesEach: 2000 });
  await trickle("/wal?segment=1&offset=0&max_bytes=16777216");
  expect(await inFlightBytes()).toBeGreaterThan(0);
  await until(inFlightBytes, (bytes) => bytes === 0);
});
