import { Duplex } from "node:stream";
import { currentThread } from "../core/process.ts";
import { clearSimulated, simulatedTimeout } from "../edges/timers.ts";

/** One end of a connection, as node:net shows it. */
export interface Wire {
  send(bytes: Buffer, sent: () => void): void;
  /** Nothing more will be sent. */
  end(): void;
  /** There is room for what has arrived. */
  read(): void;
  /** Nobody is there any more. */
  hangUp(): void;
}

export class SimulatedSocket extends Duplex {
  readonly remoteAddress: string = "127.0.0.1";
  readonly remoteFamily: string = "IPv4";
  readonly remotePort: number;
  readonly localAddress: string = "127.0.0.1";
  readonly localPort: number;
  readonly connecting: boolean = false;
  timeout = 0;
  private readonly wire: Wire;
  private idle: unknown;

  constructor(wire: Wire, ports: { readonly local: number; readonly remote: number }) {
    super({ allowHalfOpen: false, autoDestroy: true });
    this.wire = wire;
    this.localPort = ports.local;
    this.remotePort = ports.remote;
  }

  get readyState(): string {
    return this.destroyed ? "closed" : "open";
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  setTimeout(timeoutMs: number, listener?: () => void): this {
    this.timeout = timeoutMs;
    if (listener !== undefined) {
      if (timeoutMs === 0) this.removeListener("timeout", listener);
      else this.once("timeout", listener);
    }
    this.stir();
    return this;
  }

  address(): { readonly address: string; readonly family: string; readonly port: number } {
    return { address: this.localAddress, family: "IPv4", port: this.localPort };
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** Something has come. @returns whether there is room for more */
  arrive(bytes: Buffer | null): boolean {
    this.stir();
    return this.push(bytes);
  }

  override _read(): void {
    this.wire.read();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.stir();
    // The writer may use its memory again once it is told that the bytes are with the kernel.
    this.wire.send(Buffer.from(chunk), done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.stir();
    this.wire.send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.wire.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearSimulated(this.idle);
    this.wire.hangUp();
    done(error);
  }

  /** Activity: the wait for it begins anew. */
  private stir(): void {
    clearSimulated(this.idle);
    this.idle = undefined;
    if (this.timeout > 0 && !this.destroyed && currentThread()?.isAlive === true)
      this.idle = simulatedTimeout(() => this.emit("timeout"), this.timeout);
  }
}
