import { MessageChannel } from "node:worker_threads";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { get } from "../../test/harness/http.ts";
import { ServingNode, whenReady } from "../../test/harness/serving-node.ts";
import { startServer } from "./serve-thread.ts";

describe("the serving thread", () => {
  test("goes on serving while this thread is busy", async () => {
    await using node = await ServingNode.start({ isThreaded: true });
    node.commit(2);
    await whenReady(node.url);
    const answer = await get(`${node.url}/wal?segment=1&offset=0&max_bytes=1000000`);
    expect(answer.status).toBe(200);
    expect(answer.headers["wal-head-txid"]).toBe("2");
    expect((await get(`${node.url}/snapshot/latest`)).body.length).toBe(7 * 512);
  });

  test("says when the engine has spoken, whatever it said", async () => {
    const { port1, port2 } = new MessageChannel();
    const options = { host: "127.0.0.1", port: 0, logFolder: "/nowhere", enginePort: port2 };
    const server = await startServer({ ...options, role: "primary", version: "1.2.3" });
    let hasSpoken = false;
    const spoken = server.engineHasSpoken().then(() => (hasSpoken = true));
    expect((await get(`${server.url}/readyz`)).status).toBe(503);
    expect(hasSpoken).toBe(false);
    port1.close();
    await spoken;
    await server.close(0);
  });

  test("a port in use is address_in_use, with a way out", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const { port2 } = new MessageChannel();
    await expect(
      startServer({
        host: "127.0.0.1",
        port,
        logFolder: "/nowhere",
        enginePort: port2,
        role: "primary",
        version: "1.2.3",
      }),
    ).rejects.toMatchObject({
      code: "address_in_use",
      message: `127.0.0.1:${port} is in use by another process`,
      hint: expect.stringContaining("--port"),
    });
    await new Promise((resolve) => other.close(resolve));
  });

  test("an address that this machine does not have is invalid_configuration", async () => {
    const { port2 } = new MessageChannel();
    await expect(
      startServer({
        host: "192.0.2.1",
        port: 0,
        logFolder: "/nowhere",
        enginePort: port2,
        role: "primary",
        version: "1.2.3",
      }),
    ).rejects.toMatchObject({ code: "invalid_configuration" });
  });

  test("closes within its deadline, whatever is under way", async () => {
    const node = await ServingNode.start({ isThreaded: true });
    node.commit(1);
    await whenReady(node.url);
    node.snapshot = () => new Promise(() => {});
    const stuck = get(`${node.url}/snapshot/latest`);
    const ended = expect(stuck).rejects.toThrow();
    await get(`${node.url}/livez`);
    await node.closeServer(50);
    await ended;
    await expect(get(`${node.url}/livez`)).rejects.toThrow("ECONNREFUSED");
    await node[Symbol.asyncDispose]();
  });
});
