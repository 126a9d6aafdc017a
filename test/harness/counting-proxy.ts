import type { Socket } from "node:net";
import { TcpProxy } from "./tcp-proxy.ts";

/** Changes nothing, and counts what the node sends. */
export class CountingProxy extends TcpProxy {
  /** Bytes that the node behind has sent, HTTP headers and all. */
  receivedBytes = 0;

  static async start(targetUrl: string): Promise<CountingProxy> {
    const proxy = new CountingProxy(Number(new URL(targetUrl).port));
    await proxy.listening();
    return proxy;
  }

  protected override join(client: Socket, target: Socket): void {
    target.on("data", (bytes) => {
      this.receivedBytes += bytes.length;
    });
    client.pipe(target);
    target.pipe(client);
  }
}
