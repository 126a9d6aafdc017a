import { once } from "node:events";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sendFile } from "./send-file.ts";

const ANY_FILE = fileURLToPath(import.meta.url);

test("to a reader whose connection has just ended it ends, so that file and place are free again", async () => {
  const { promise: sent, resolve: noteSent, reject } = Promise.withResolvers<void>();
  const server = createServer((_incoming, outgoing) => {
    void (async () => {
      await using file = await open(ANY_FILE);
      // The connection ends while the disk is read; the response's `close` is still to come.
      const read = async (...place: [Buffer, number, number, number]): Promise<{ bytesRead: number }> => {
        const found = await file.read(...place);
        outgoing.socket?.destroy();
        return found;
      };
      outgoing.writeHead(200);
      await sendFile(outgoing, { read } as FileHandle, { from: 0, to: 100 });
    })().then(noteSent, reject);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const asked = get({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  await expect(once(asked, "response")).rejects.toThrow(/hang up|ECONNRESET/);
  await sent;
  server.close();
});
