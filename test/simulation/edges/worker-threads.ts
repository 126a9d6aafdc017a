import { EventEmitter } from "node:events";
import type { WorkerOptions } from "node:worker_threads";
import * as real from "node:worker_threads";
import { ProcessDied, SimulatedThread, currentProcess, currentThread } from "../core/process.ts";
import { workerUrl } from "../module-hooks.ts";
import type { WorkerModule } from "../module-hooks.ts";
import { SimulatedPort, clone, makeChannel } from "./message-ports.ts";

/** From the start to the first line of its module. */
const START_MS = 20;
/** What is under way in a thread that is to end may still get on. */
const END_MS = 1;

/** Of the main thread; a worker has its own: see module-hooks.ts. */
export const parentPort = null;
export const workerData = null;

class SimulatedChannel {
  readonly port1: SimulatedPort;
  readonly port2: SimulatedPort;

  constructor() {
    [this.port1, this.port2] = makeChannel();
  }
}

/** Which one it is, is found out when it is made. */
export const MessageChannel: new () => SimulatedChannel | real.MessageChannel = new Proxy(SimulatedChannel, {
  construct: () => (currentProcess() === undefined ? new real.MessageChannel() : new SimulatedChannel()),
});

export function receiveMessageOnPort(
  port: SimulatedPort | real.MessagePort,
): { message: unknown } | undefined {
  if (!(port instanceof SimulatedPort)) return real.receiveMessageOnPort(port);
  currentProcess()?.cross("port.receive");
  return port.take();
}

/** A thread of the simulated process: its module, run for it alone, and events that are its own. */
export class Worker extends EventEmitter {
  private readonly port: SimulatedPort;
  private readonly inner: SimulatedPort;
  private readonly parent: SimulatedThread;
  private readonly thread: SimulatedThread;
  private readonly exited: Promise<number>;
  private hasExited = false;

  constructor(module: URL, options: WorkerOptions = {}) {
    super();
    this.parent = currentThread()!;
    const { process } = this.parent;
    process.cross("thread.start");
    this.thread = new SimulatedThread(process, options.name ?? "worker");
    this.thread.onUncaught = (error) => this.crash(error);
    [this.port, this.inner] = makeChannel();
    this.port.on("message", (message: unknown) => this.emit("message", message));
    this.exited = new Promise((resolve) => this.once("exit", resolve));
    const data = clone(options.workerData, (options.transferList ?? []) as unknown[]);
    const { scheduler } = process.machine;
    scheduler.afterIn(
      START_MS * process.random.float(),
      `thread ${this.thread.name}`,
      this.thread,
      () => void this.run(module, data),
    );
  }

  postMessage(value: unknown, transferred: readonly unknown[] = []): void {
    if (this.thread.isAlive) this.port.postMessage(value, transferred);
    else this.parent.process.cross("port.post");
  }

  terminate(): Promise<number | undefined> {
    const { process } = this.parent;
    process.cross("thread.terminate");
    if (this.hasExited) return Promise.resolve(undefined);
    process.machine.scheduler.afterIn(END_MS * process.random.float(), "thread.end", this.parent, () =>
      this.exit(1),
    );
    return this.exited;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  private async run(module: URL, data: unknown): Promise<void> {
    const { scheduler } = this.parent.process.machine;
    try {
      const loading = import(workerUrl(module)) as Promise<WorkerModule>;
      // Of what the module waits for once it runs, other steps tell.
      scheduler.hold(loading);
      const worker = await loading;
      await worker.run({ parentPort: this.inner, workerData: data });
    } catch (error) {
      if (!(error instanceof ProcessDied)) this.thread.crash(error);
    }
    scheduler.afterIn(END_MS, "thread.idle", this.thread, () => this.leaveUnlessHeard());
  }

  /** A thread ends when nothing can wake it any more: those that stay listen to their parent from their start on. */
  private leaveUnlessHeard(): void {
    if (this.inner.isHeard) this.inner.on("close", () => this.exit(0));
    else this.exit(0);
  }

  private crash(error: unknown): void {
    if (this.hasExited) return;
    this.port.enqueue("thread.error", () => this.emit("error", error));
    this.exit(1);
  }

  private exit(code: number): void {
    if (this.hasExited) return;
    this.hasExited = true;
    this.thread.end();
    this.port.enqueue("thread.exit", () => this.emit("exit", code));
  }
}
