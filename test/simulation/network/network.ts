import type { Socket } from "node:net";
import { systemError } from "../core/errno.ts";
import type { Machine } from "../core/machine.ts";
import { currentThread } from "../core/process.ts";
import type { SimulatedProcess, SimulatedThread } from "../core/process.ts";
import type { Random } from "../core/random.ts";
import type { Scheduler } from "../core/scheduler.ts";
import { Connection } from "./connection.ts";
import { GOOD, Link } from "./link.ts";
import type { LinkQuality } from "./link.ts";
import type { SimulatedSocket } from "./socket.ts";

/** How soon a retrying proxy asks again, and how long it listens to an answer that nobody wants. */
const AGAIN_MS = 50;
const LISTEN_MS = 2_000;
const FIRST_CLIENT_PORT = 30_000;

export interface Listening {
  close(): void;
}

interface Listener {
  readonly thread: SimulatedThread;
  readonly accept: (socket: SimulatedSocket) => void;
}

type Connected = (...outcome: [Error, null] | [null, Socket]) => void;

const networks = new WeakMap<Scheduler, Network>();

/**
 * Machines, and the ways between them. A port is an address: whatever host is named, whoever listens at the port is meant.
 *
 * Its faults: {@link cut}, {@link reset}, {@link setQuality}; {@link heal} and {@link healAll} end them.
 */
export class Network {
  private readonly scheduler: Scheduler;
  private readonly random: Random;
  private readonly listeners = new Map<number, Listener>();
  private readonly links = new Map<string, Link>();
  private readonly connections = new Set<Connection>();
  private readonly known = new WeakSet<Machine>();
  /** Where somebody has listened. */
  private readonly homes = new Map<number, Machine>();
  private nextPort = FIRST_CLIENT_PORT;

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
    networks.set(scheduler, this);
  }

  static of(machine: Machine): Network {
    return networks.get(machine.scheduler)!;
  }

  /** Nothing gets through between the two; connections stay, and wait. */
  cut(one: Machine, other: Machine): void {
    this.link(one, other).cut();
  }

  heal(one: Machine, other: Machine): void {
    this.link(one, other).heal();
  }

  /** All ways are free again, and good. */
  healAll(): void {
    for (const link of this.links.values()) {
      link.quality = GOOD;
      link.heal();
    }
  }

  /** All connections between the two break. */
  reset(one: Machine, other: Machine): void {
    const link = this.link(one, other);
    for (const connection of this.connections) if (connection.link === link) connection.reset();
  }

  setQuality(one: Machine, other: Machine, quality: Partial<LinkQuality>): void {
    const link = this.link(one, other);
    link.quality = { ...link.quality, ...quality };
  }

  /** @returns undefined where somebody listens already */
  listen(
    port: number,
    thread: SimulatedThread,
    accept: (socket: SimulatedSocket) => void,
  ): Listening | undefined {
    if (this.listeners.has(port)) return undefined;
    const listener = { thread, accept };
    this.listeners.set(port, listener);
    this.homes.set(port, thread.process.machine);
    const close = (): void => {
      if (this.listeners.get(port) === listener) this.listeners.delete(port);
    };
    thread.onEnd(close);
    thread.process.onDeath(close);
    return { close };
  }

  connect(process: SimulatedProcess, port: number, timeoutMs: number, connected: Connected): void {
    process.cross("net.connect");
    const { scheduler } = this;
    const home = this.homes.get(port) ?? process.machine;
    const link = this.link(process.machine, home);
    const timeout = scheduler.after(timeoutMs, "net.connect timeout", process, () => {
      answer.cancel();
      connected(systemError("ETIMEDOUT", "connect"), null);
    });
    const thread = currentThread()!;
    const tried = (): void => {
      // What was to be the first packet is sent again and again, until it is given up.
      if (link.isCut || !home.isUp) {
        answer = scheduler.afterIn(timeoutMs / 4, "net.connect again", thread, tried);
        return;
      }
      timeout.cancel();
      const connection = this.open(thread, port, link);
      if (connection === undefined) connected(systemError("ECONNREFUSED", "connect"), null);
      else connected(null, connection.client.socket as unknown as Socket);
    };
    let answer = scheduler.afterIn(2 * link.delayMs(0), "net.connect", thread, tried);
  }

  private open(client: SimulatedThread, port: number, link: Link): Connection | undefined {
    const listener = this.listeners.get(port);
    if (listener === undefined) return undefined;
    const { scheduler } = this;
    const connection = new Connection({
      scheduler,
      link,
      client: { thread: client, port: this.nextPort++ },
      server: { thread: listener.thread, port },
    });
    this.register(connection);
    connection.onSend = (bytes) => {
      if (link.isDuplicate(bytes)) this.sendAgain(client, port, link, Buffer.from(bytes));
    };
    scheduler.afterIn(0, "net.accept", listener.thread, () => listener.accept(connection.server.socket));
    return connection;
  }

  /** The same request on a connection of its own; nobody reads the answer. */
  private sendAgain(client: SimulatedThread, port: number, link: Link, request: Buffer): void {
    this.scheduler.afterIn(this.random.float() * AGAIN_MS, "net proxy asks again", client, () => {
      const connection = this.open(client, port, link);
      if (connection === undefined) return;
      connection.onSend = undefined;
      const { socket } = connection.client;
      socket.on("error", () => undefined).resume();
      socket.write(request);
      this.scheduler.afterIn(LISTEN_MS, "net proxy hangs up", client, () => socket.destroy());
    });
  }

  private register(connection: Connection): void {
    this.connections.add(connection);
    for (const end of [connection.client, connection.server]) {
      end.socket.once("close", () => {
        if (connection.ends.size === 0) this.connections.delete(connection);
      });
      this.heed(end.thread.process.machine);
    }
  }

  private heed(machine: Machine): void {
    if (this.known.has(machine)) return;
    this.known.add(machine);
    machine.whenPowerFails(() => {
      for (const connection of this.connections) connection.silence(machine);
    });
  }

  private link(one: Machine, other: Machine): Link {
    const name = [one.name, other.name].toSorted().join(" ");
    const known = this.links.get(name);
    if (known !== undefined) return known;
    const link = new Link(this.random.fork(name));
    this.links.set(name, link);
    return link;
  }
}
