import { EventEmitter } from "node:events";
import { ProcessDied, currentThread, runInThread } from "../core/process.ts";
import type { SimulatedProcess, SimulatedThread } from "../core/process.ts";
import type { Scheduled } from "../core/scheduler.ts";

const LATENCY_MS = 0.2;
/** A thread that has something else to do looks at its messages later. */
const BUSY_CHANCE = 0.02;
const BUSY_MS = 20;
/** While one thread sleeps, the others are mostly free to do something. */
const FREE_CHANCE = 0.9;

interface Delivery {
  readonly thread: SimulatedThread;
  readonly atMs: number;
  readonly scheduled: Scheduled;
  readonly run: () => void;
}

/** Per process, in the order in which they were sent. */
const underWay = new WeakMap<SimulatedProcess, Set<Delivery>>();

/** An end of a channel between two threads. It belongs to the thread that listens at it first. */
export class SimulatedPort extends EventEmitter {
  peer: SimulatedPort | undefined;
  private thread: SimulatedThread | undefined;
  private readonly waiting: (() => void)[] = [];
  private readonly values: unknown[] = [];
  private lastMs = 0;
  private isClosed = false;

  override on(name: string, listener: (...given: never[]) => void): this {
    super.on(name, listener as (...given: unknown[]) => void);
    if (name === "message") this.start(currentThread()!);
    return this;
  }

  /** Messages are delivered in this thread from now on. */
  start(thread: SimulatedThread): void {
    if (this.thread !== undefined) return;
    this.thread = thread;
    thread.onEnd(() => this.close());
    for (const deliver of this.waiting.splice(0)) deliver();
  }

  get isHeard(): boolean {
    return this.thread !== undefined && !this.isClosed;
  }

  /** @param transferred ports that go to the other side as they are */
  postMessage(value: unknown, transferred: readonly unknown[] = []): void {
    currentThread()?.process.cross("port.post");
    if (this.isClosed) return;
    this.peer?.receive(clone(value, transferred));
  }

  /** What is next, of a port that nobody listens at. */
  take(): { readonly message: unknown } | undefined {
    return this.values.length === 0 ? undefined : { message: this.values.shift() };
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.enqueue("port.close", () => this.emit("close"));
    this.peer?.enqueue("port.close", () => this.peer?.closed());
  }

  /** Something for the thread of this end, after all messages that are under way to it. */
  enqueue(what: string, run: () => void): void {
    if (this.thread === undefined) this.waiting.push(() => this.deliver(what, run));
    else this.deliver(what, run);
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  private receive(value: unknown): void {
    if (this.isClosed) return;
    this.values.push(value);
    this.enqueue(describe(value), () => {
      const taken = this.take();
      if (taken !== undefined && !this.isClosed) this.emit("message", taken.message);
    });
  }

  private closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.emit("close");
  }

  private deliver(what: string, run: () => void): void {
    const thread = this.thread!;
    const { random, machine } = thread.process;
    const { scheduler } = machine;
    const latencyMs = random.float() * (random.chance(BUSY_CHANCE) ? BUSY_MS : LATENCY_MS);
    this.lastMs = Math.max(this.lastMs, scheduler.nowMs + latencyMs);
    const deliveries = underWay.get(thread.process) ?? new Set();
    underWay.set(thread.process, deliveries);
    const scheduled = scheduler.afterIn(this.lastMs - scheduler.nowMs, what, thread, () => {
      deliveries.delete(delivery);
      run();
    });
    const delivery: Delivery = { thread, atMs: this.lastMs, scheduled, run };
    deliveries.add(delivery);
  }
}

/** What other threads of the process are told until then, while the present one sleeps. */
export function runOtherThreads(process: SimulatedProcess, untilMs: number, isDone: () => boolean): void {
  if (!process.random.chance(FREE_CHANCE)) return;
  const { scheduler } = process.machine;
  const sleeper = currentThread();
  const due = [...(underWay.get(process) ?? [])]
    .filter(({ thread, atMs }) => thread !== sleeper && thread.isAlive && atMs <= untilMs)
    .toSorted((a, b) => a.atMs - b.atMs);
  for (const delivery of due) {
    if (isDone()) return;
    delivery.scheduled.cancel();
    underWay.get(process)?.delete(delivery);
    scheduler.advance(delivery.atMs - scheduler.nowMs);
    runNested(delivery);
  }
}

function runNested({ thread, run }: Delivery): void {
  try {
    runInThread(thread, run);
  } catch (error) {
    if (error instanceof ProcessDied) throw error;
    thread.crash(error);
  }
}

/** As the other side gets it: a copy, but for the ports that are handed over. */
export function clone(value: unknown, transferred: readonly unknown[]): unknown {
  if (transferred.length === 0) return structuredClone(value);
  const entries = Object.entries(value as object).map(([name, part]): [string, unknown] => [
    name,
    transferred.includes(part) ? part : structuredClone(part),
  ]);
  return Object.fromEntries(entries);
}

/** For the trace. */
function describe(message: unknown): string {
  const { kind = "value", method, name, id } = (message ?? {}) as Record<string, string | number | undefined>;
  return `port ${[kind, method ?? name, id].filter((part) => part !== undefined).join(" ")}`;
}

export function makeChannel(): readonly [SimulatedPort, SimulatedPort] {
  const [one, other] = [new SimulatedPort(), new SimulatedPort()];
  one.peer = other;
  other.peer = one;
  return [one, other];
}
