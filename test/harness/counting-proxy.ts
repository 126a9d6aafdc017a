import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

/** A TCP proxy in front of a node: it changes nothing, and counts what the node sends. */
export class CountingProxy implements AsyncDisposable {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** Bytes that the node behind has sent, HTTP headers and all. */
  receivedBytes = 0;

  static async start(targetUrl: string): Promise<CountingProxy> {
    const proxy = new CountingProxy(Number(new URL(targetUrl).port));
    await once(proxy.server, "listening");
    return proxy;
  }

  private constructor(targetPort: number) {
    this.server = createServer((client) => {
      const target = connect(targetPort, "127.0.0.1");
      for (const [socket, other] of [
        [client, target],
        [target, client],
      ] as const) {
        this.sockets.add(socket);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          this.sockets.delete(socket);
          other.destroy();
        });
      }
      target.on("data", (bytes) => {
        this.receivedBytes += bytes.length;
      });
      client.pipe(target);
      target.pipe(client);
    }).listen(0, "127.0.0.1");
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }
}
