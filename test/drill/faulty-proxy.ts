import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { Transform } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import type { Chance } from "../harness/seed.ts";

const LOOK_MS = 20;

/** What a network does to what a node answers. Questions have no checksum, and arrive late at worst. */
export type Fault =
  | { readonly kind: "none" | "cut" | "stall" }
  | { readonly kind: "throttle"; readonly bytesPerSecond: number }
  /** One flipped bit in one of so many chunks. */
  | { readonly kind: "corrupt"; readonly oneIn: number; readonly chance: Chance };

/** A TCP proxy in front of a node, with the faults of a network. */
export class FaultyProxy {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private fault: Fault = { kind: "none" };
  /** Where the node is now. */
  targetPort = 0;

  static async start(): Promise<FaultyProxy> {
    const proxy = new FaultyProxy();
    await once(proxy.server, "listening");
    return proxy;
  }

  private constructor() {
    this.server = createServer((client) => {
      if (this.fault.kind === "cut") return client.resetAndDestroy();
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
      client.pipe(this.way((bytes) => bytes)).pipe(target);
      target.pipe(this.way((bytes) => this.damaged(bytes))).pipe(client);
      return undefined;
    }).listen(0, "127.0.0.1");
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  set(fault: Fault): void {
    this.fault = fault;
    if (fault.kind === "cut") for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
  }

  private way(change: (bytes: Buffer) => Buffer): Transform {
    return new Transform({
      transform: (bytes: Buffer, _encoding, done) => {
        void this.delayed(bytes.length, () => done(null, change(bytes)));
      },
    });
  }

  private async delayed(bytes: number, pass: () => void): Promise<void> {
    if (this.fault.kind === "throttle") await pause((1000 * bytes) / this.fault.bytesPerSecond);
    while (this.fault.kind === "stall") await pause(LOOK_MS);
    pass();
  }

  private damaged(bytes: Buffer): Buffer {
    if (this.fault.kind !== "corrupt") return bytes;
    const { chance, oneIn } = this.fault;
    if (chance.integer(1, oneIn) > 1) return bytes;
    const copy = Buffer.from(bytes);
    copy[chance.integer(0, copy.length - 1)]! ^= 1 << chance.integer(0, 7);
    return copy;
  }
}
