import type { Socket } from "node:net";
import { Transform } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import type { Chance } from "../harness/seed.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";

const LOOK_MS = 20;

/** What a network does to what a node answers. Questions have no checksum, and arrive late at worst. */
export type Fault =
  | { readonly kind: "none" | "cut" | "stall" }
  | { readonly kind: "throttle"; readonly bytesPerSecond: number }
  /** One flipped bit in one of so many chunks. */
  | { readonly kind: "corrupt"; readonly oneIn: number; readonly chance: Chance };

/** With the faults of a network. */
export class FaultyProxy extends TcpProxy {
  private fault: Fault = { kind: "none" };

  static async start(): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(0);
    await proxy.listening();
    return proxy;
  }

  set(fault: Fault): void {
    this.fault = fault;
    if (fault.kind === "cut") for (const socket of this.sockets) socket.resetAndDestroy();
  }

  protected override accept(client: Socket): void {
    if (this.fault.kind === "cut") client.resetAndDestroy();
    else super.accept(client);
  }

  protected override join(client: Socket, target: Socket): void {
    client.pipe(this.way((bytes) => bytes)).pipe(target);
    target.pipe(this.way((bytes) => this.damaged(bytes))).pipe(client);
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
