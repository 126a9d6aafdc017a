import { systemError } from "../core/errno.ts";
import type { Machine } from "../core/machine.ts";
import { runInThread } from "../core/process.ts";
import type { SimulatedThread } from "../core/process.ts";
import type { Scheduler } from "../core/scheduler.ts";
import type { Link } from "./link.ts";
import { SimulatedSocket } from "./socket.ts";
import type { Wire } from "./socket.ts";

/** TCP sends again what nobody has acknowledged, and undici lets it ask after a peer that says nothing. */
const RETRANSMIT_MS = 1_000;
const KEEP_ALIVE_MS = 60_000;
/** What the kernels at both ends hold, before a writer has to wait. */
const WINDOW_BYTES = 64 * 1024;

/** Of one end: what is on its way to it, in order. */
class End implements Wire {
  readonly socket: SimulatedSocket;
  readonly thread: SimulatedThread;
  other!: End;
  private readonly connection: Connection;
  private readonly forgetDeath: () => void;
  private readonly arrived: { readonly bytes: Buffer | null; readonly consumed: () => void }[] = [];
  /** Not arrived yet, in the order sent. */
  private readonly underWay: (() => void)[] = [];
  private hasRoom = true;
  private lastMs = 0;
  private sentBytes = 0;
  private waiting: (() => void)[] = [];
  /** Its machine has lost power: nobody is told. */
  isSilent = false;

  constructor(connection: Connection, thread: SimulatedThread, ports: { local: number; remote: number }) {
    this.connection = connection;
    this.thread = thread;
    this.socket = runInThread(thread, () => new SimulatedSocket(this, ports));
    this.forgetDeath = thread.process.onDeath(() => this.died());
    thread.onEnd(() => this.died());
  }

  send(bytes: Buffer, sent: () => void): void {
    const { link } = this.connection;
    if (this.other.isSilent) this.probe(link.delayMs(0), RETRANSMIT_MS);
    this.connection.onSend?.(bytes);
    this.sentBytes += bytes.length;
    for (const piece of link.split(bytes)) {
      const spoilt = link.spoil(piece);
      this.other.receive(`net ${piece.length}`, link.delayMs(piece.length), () => {
        this.other.take(spoilt, () => this.consumed(piece.length));
      });
    }
    if (this.sentBytes <= WINDOW_BYTES) sent();
    else this.waiting.push(sent);
  }

  end(): void {
    this.other.receive("net end", this.connection.link.delayMs(0), () =>
      this.other.take(null, () => undefined),
    );
  }

  read(): void {
    this.hasRoom = true;
    while (this.hasRoom && this.arrived.length > 0) {
      const { bytes, consumed } = this.arrived.shift()!;
      consumed();
      this.hasRoom = this.socket.arrive(bytes);
    }
  }

  hangUp(): void {
    this.connection.ends.delete(this);
    this.forgetDeath();
    this.end();
  }

  /** The connection is gone, by a fault of the network, or because the other side has died. */
  reset(delayMs: number): void {
    this.receive("net reset", delayMs, () => {
      if (!this.socket.destroyed) this.socket.destroy(systemError("ECONNRESET", "read"));
    });
  }

  /** Asks the other machine, which has lost all memory of the connection, and says so when it runs again. */
  probe(delayMs: number, againMs: number): void {
    const { scheduler, link } = this.connection;
    scheduler.afterIn(delayMs, "net probe", this.thread, () => {
      if (this.socket.destroyed) return;
      if (link.isCut || !this.other.thread.process.machine.isUp) this.probe(againMs, againMs);
      else this.socket.destroy(systemError("ECONNRESET", "read"));
    });
  }

  private died(): void {
    this.connection.ends.delete(this);
    if (!this.isSilent) this.other.reset(this.connection.link.delayMs(0));
  }

  private consumed(bytes: number): void {
    this.sentBytes -= bytes;
    if (this.sentBytes > WINDOW_BYTES || this.waiting.length === 0) return;
    const waiting = this.waiting;
    this.waiting = [];
    this.connection.scheduler.afterIn(0, "net sent", this.thread, () => {
      for (const sent of waiting) sent();
    });
  }

  /** In the order sent, whatever the delay; not while the link is cut, and never from a machine without power. */
  private receive(what: string, delayMs: number, run: () => void): void {
    if (this.other.isSilent || this.isSilent) return;
    this.underWay.push(run);
    this.letNextArrive(what, delayMs);
  }

  /** What waited while the link was cut comes before what was still on its way then. */
  private letNextArrive(what: string, delayMs: number): void {
    const { scheduler, link } = this.connection;
    if (this.other.isSilent || this.isSilent) return;
    this.lastMs = Math.max(this.lastMs, scheduler.nowMs + delayMs);
    scheduler.afterIn(this.lastMs - scheduler.nowMs, what, this.thread, () => {
      if (link.isCut) link.park(() => this.letNextArrive(what, link.delayMs(0)));
      else this.underWay.shift()?.();
    });
  }

  private take(bytes: Buffer | null, consumed: () => void): void {
    if (this.socket.destroyed) return;
    this.arrived.push({ bytes, consumed });
    if (this.hasRoom) this.read();
  }
}

export interface ConnectionOptions {
  readonly scheduler: Scheduler;
  readonly link: Link;
  readonly client: { readonly thread: SimulatedThread; readonly port: number };
  readonly server: { readonly thread: SimulatedThread; readonly port: number };
}

/** Two ends, of which either may vanish at any moment. */
export class Connection {
  readonly scheduler: Scheduler;
  readonly link: Link;
  readonly client: End;
  readonly server: End;
  readonly ends: Set<End>;
  /** Sees what goes out. */
  onSend: ((bytes: Buffer) => void) | undefined;

  constructor({ scheduler, link, client, server }: ConnectionOptions) {
    this.scheduler = scheduler;
    this.link = link;
    this.client = new End(this, client.thread, { local: client.port, remote: server.port });
    this.server = new End(this, server.thread, { local: server.port, remote: client.port });
    this.client.other = this.server;
    this.server.other = this.client;
    this.ends = new Set([this.client, this.server]);
  }

  /** Something in between has forgotten it. */
  reset(): void {
    for (const end of this.ends) end.reset(0);
  }

  /** The machine says nothing any more; its peer learns of that when it asks. */
  silence(machine: Machine): void {
    for (const end of this.ends) {
      if (end.thread.process.machine !== machine) continue;
      end.isSilent = true;
      if (end === this.server) this.client.probe(KEEP_ALIVE_MS, KEEP_ALIVE_MS);
    }
  }
}
