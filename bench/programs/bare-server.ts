/**
 * The least that a fan-out can cost: a node:http server that holds every GET, and answers all of them with one buffer
 * when a line comes on standard input. Prints its URL, and for each line the moment in microseconds of CLOCK_MONOTONIC.
 */
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";

const body = Buffer.alloc(Number(process.argv[2] ?? 4096), "x");
let waiting: ServerResponse[] = [];
const server = createServer((_request, response) => waiting.push(response)).listen(0, "127.0.0.1", () =>
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
);
createInterface({ input: process.stdin }).on("line", () => {
  const now = waiting;
  waiting = [];
  console.log(JSON.stringify({ startUs: Number(process.hrtime.bigint()) / 1e3, held: now.length }));
  for (const response of now) response.writeHead(200, { "content-length": body.length }).end(body);
});
