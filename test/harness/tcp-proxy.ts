import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

/** A TCP proxy in front of a node: a connection here is one there, and both end together. */
export abstract class TcpProxy implements AsyncDisposable {
  protected readonly sockets: Set<Socket> = new Set();
  private readonly server: Server;
  /** Where the node is now. */
  targetPort: number;

  constructor(targetPort: number) {
    this.targetPort = targetPort;
    this.server = createServer((client) => this.accept(client)).listen(0, "127.0.0.1");
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Until then it has no address. */
  async listening(): Promise<void> {
    if (!this.server.listening) await once(this.server, "listening");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }

  protected accept(client: Socket): void {
    const target = connect(this.targetPort, "127.0.0.1");
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
    this.join(client, target);
  }

  /** Lets through, both ways, what is to get through. */
  protected abstract join(client: Socket, target: Socket): void;
}
