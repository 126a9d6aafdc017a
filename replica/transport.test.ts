import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { HttpTransport } from "./transport.ts";

test("a mistake in here is no trouble of the network", async () => {
  const server = createServer((_request, response) => response.end("body")).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const transport = new HttpTransport(new URL(`http://127.0.0.1:${port}`));
  onTestFinished(() => transport.close());
  const mistaken = {
    start: () => true,
    data: () => {
      throw new TypeError("nothing of that is defined");
    },
  };
  await expect(transport.stream("/wal", {}, mistaken)).rejects.toMatchObject({
    code: "internal",
    message: "nothing of that is defined",
  });
});
