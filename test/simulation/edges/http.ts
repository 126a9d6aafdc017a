import * as real from "node:http";
import type { RequestListener, ServerOptions } from "node:http";
import type { AddressInfo } from "node:net";
import { systemError } from "../core/errno.ts";
import { currentThread } from "../core/process.ts";
import { Network } from "../network/network.ts";
import type { Listening } from "../network/network.ts";
import type { SimulatedSocket } from "../network/socket.ts";

/** Slow requests are looked for in real time, of which little passes. */
const NEVER_MS = 2 ** 31 - 1;
const FIRST_FREE_PORT = 50_000;

/** A real server, whose connections come from the simulated network. */
class Server extends real.Server {
  private readonly sockets = new Set<SimulatedSocket>();
  private port = 0;
  private listening_: Listening | undefined;
  private closed: (() => void) | undefined;

  override listen(...given: unknown[]): this {
    const [{ host, port }, listener] = given as [{ host: string; port: number }, () => void];
    const thread = currentThread()!;
    const { machine, random } = thread.process;
    thread.process.cross("net.listen");
    this.port = port === 0 ? FIRST_FREE_PORT + random.int(10_000) : port;
    machine.scheduler.after(random.float(), "net.listen", thread.process, () => {
      this.listening_ = Network.of(machine).listen(this.port, thread, (socket) => this.accept(socket));
      if (this.listening_ === undefined)
        this.emit("error", systemError("EADDRINUSE", "listen", `${host}:${port}`));
      else {
        this.emit("listening");
        listener();
      }
    });
    return this;
  }

  override address(): AddressInfo {
    return { address: "127.0.0.1", family: "IPv4", port: this.port };
  }

  override close(done?: () => void): this {
    this.listening_?.close();
    this.closed = done;
    this.closeIdleConnections();
    this.endWhenAlone();
    return this;
  }

  override closeIdleConnections(): void {
    this.destroyInOrder(() => super.closeIdleConnections());
  }

  override closeAllConnections(): void {
    this.destroyInOrder(() => super.closeAllConnections());
  }

  /** Node takes its connections in the order of their addresses in memory: here it is that in which they came. */
  private destroyInOrder(close: () => void): void {
    const chosen = new Set<SimulatedSocket>();
    for (const socket of this.sockets) socket.destroy = () => (chosen.add(socket), socket);
    close();
    for (const socket of this.sockets) {
      Reflect.deleteProperty(socket, "destroy");
      if (chosen.has(socket)) socket.destroy();
    }
  }

  private accept(socket: SimulatedSocket): void {
    if (this.maxConnections > 0 && this.sockets.size >= this.maxConnections) return void socket.destroy();
    this.sockets.add(socket);
    socket.once("close", () => {
      this.sockets.delete(socket);
      this.endWhenAlone();
    });
    this.emit("connection", socket);
  }

  private endWhenAlone(): void {
    const { closed } = this;
    if (closed === undefined || this.sockets.size > 0) return;
    this.closed = undefined;
    process.nextTick(closed);
  }
}

export function createServer(options: ServerOptions, listener: RequestListener): real.Server {
  const thread = currentThread();
  if (thread === undefined) return real.createServer(options, listener);
  return new Server({ ...options, connectionsCheckingInterval: NEVER_MS }, (incoming, outgoing) => {
    // The one that node writes is the real time's.
    outgoing.sendDate = false;
    outgoing.setHeader("date", new Date().toUTCString());
    listener(incoming, outgoing);
  });
}
