import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { HttpTransport } from "./transport.ts";

/** What a node answers, each piece so long after the one before that it is read by itself. */
async function transportTo(pieces: readonly (string | Buffer)[]): Promise<HttpTransport> {
  const answer = async (socket: Socket): Promise<void> => {
    await once(socket, "data");
    for (const piece of pieces) {
      socket.write(piece);
      for (let turns = 0; turns < 5; turns++) await turn();
    }
  };
  const server = createServer((socket) => void answer(socket.setNoDelay())).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const transport = new HttpTransport(new URL(`http://127.0.0.1:${port}`));
  onTestFinished(async () => {
    await transport.close();
    server.close();
  });
  return transport;
}

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

test("headers that come in pieces are whole, whatever is read after them", async () => {
  const [first, second] = ["a".repeat(3000), "b".repeat(3000)];
  const transport = await transportTo([
    `HTTP/1.1 200 OK\r\nfirst: ${first}\r\nsec`,
    `ond: ${second}\r\n`,
    "content-length: 4\r\n\r\n",
    "body",
  ]);
  const { headers, body } = await transport.get("/wal", { maxBodyBytes: 10 });
  expect(headers.get("first")).toBe(first);
  expect(headers.get("second")).toBe(second);
  expect(body.toString()).toBe("body");
});

test("a body of many reads is what was sent, also where it comes with its headers or in chunks", async () => {
  const sent = randomBytes(3 << 20);
  const [start, rest] = [sent.subarray(0, 1 << 20), sent.subarray(1 << 20)];
  const limits = { maxBodyBytes: sent.length };
  const whole = await transportTo([`HTTP/1.1 200 OK\r\ncontent-length: ${sent.length}\r\n\r\n`, start, rest]);
  expect((await whole.get("/wal", limits)).body.equals(sent)).toBe(true);
  const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  const chunked = await transportTo([
    Buffer.concat([Buffer.from(head), chunk(start)]),
    Buffer.concat([chunk(rest), Buffer.from("0\r\n\r\n")]),
  ]);
  expect((await chunked.get("/wal", limits)).body.equals(sent)).toBe(true);
});
