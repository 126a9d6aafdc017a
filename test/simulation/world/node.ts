import { openIn } from "../cluster/open.ts";
import { SimulatedProcess, runIn } from "../core/process.ts";
import type { Machine } from "../core/machine.ts";
import type { Primary, PrimaryOptions } from "../../../src/primary.ts";
import type { Replica, ReplicaOptions } from "../../../src/replica.ts";
import type { Notice } from "../../../shared/notice.ts";

export interface NodeEvents {
  opened(): void;
  noticed(notice: Pick<Notice, "name" | "fields" | "text">): void;
  /** It has ended, or could not begin: its own word for why. */
  failed(code: string, message: string): void;
  died(): void;
  /** The process is about to call the system. */
  crossing(): void;
}

export interface NodeOptions {
  readonly name: string;
  readonly machine: Machine;
  readonly events: NodeEvents;
  readonly options:
    | { readonly role: "primary"; readonly settings: PrimaryOptions }
    | { readonly role: "replica"; readonly settings: ReplicaOptions };
}

/** A process that runs the product, again and again. */
export class Node {
  readonly name: string;
  readonly role: "primary" | "replica";
  readonly machine: Machine;
  private readonly given: NodeOptions;
  private running: SimulatedProcess | undefined;
  private handle: Primary | Replica | undefined;
  private lives = 0;

  constructor(options: NodeOptions) {
    this.given = options;
    this.name = options.name;
    this.role = options.options.role;
    this.machine = options.machine;
  }

  /** While it is alive. */
  get process(): SimulatedProcess | undefined {
    return this.running?.isAlive === true ? this.running : undefined;
  }

  get isOpen(): boolean {
    return this.process !== undefined && this.handle !== undefined;
  }

  /** Does something with the open handle, as its own process; undefined while there is none. */
  use<T>(what: (handle: Primary | Replica) => T): T | undefined {
    const { process, handle } = this;
    return process === undefined || handle === undefined ? undefined : runIn(process, () => what(handle));
  }

  start(): void {
    if (this.process !== undefined) return;
    const { name, machine, events, options } = this.given;
    this.lives += 1;
    const process = new SimulatedProcess(`${name}/${this.lives}`, machine);
    this.running = process;
    this.handle = undefined;
    process.observer = () => events.crossing();
    process.onCrash = (error) => this.crashed(error);
    process.onDeath(() => {
      if (this.running === process) this.handle = undefined;
      events.died();
    });
    void openIn(process, options).then(
      (handle) => this.opened(handle, process),
      (error: unknown) => {
        if (process.isAlive) this.end(process, error);
      },
    );
  }

  kill(): void {
    this.process?.kill();
  }

  /** Closes in order; the process ends then. */
  stop(): void {
    const { process } = this;
    if (process === undefined) return;
    const closed = this.use((handle) => handle.close()) ?? Promise.resolve();
    this.handle = undefined;
    void closed.then(
      () => process.kill(),
      (error: unknown) => {
        if (process.isAlive) this.end(process, error);
      },
    );
  }

  private opened(handle: Primary | Replica, process: SimulatedProcess): void {
    if (this.process !== process) return;
    this.listen(handle, process);
    this.handle = handle;
    this.given.events.opened();
  }

  private listen(handle: Primary | Replica, process: SimulatedProcess): void {
    const { events } = this.given;
    const emitter = handle as Replica;
    runIn(process, () => {
      emitter.on("notice", (notice) => events.noticed(notice));
      emitter.on("rebuilt", () => events.noticed({ name: "rebuilt", text: "rebuilt", fields: {} }));
      emitter.on("failed", (error) => this.end(process, error));
    });
  }

  private end(process: SimulatedProcess, error: unknown): void {
    const { code, message } = error as { code?: string; message?: string };
    this.given.events.failed(code ?? "crashed", message ?? String(error));
    process.kill();
  }

  /** By an error that nothing in it has caught. */
  private crashed(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.given.events.failed("crashed", text);
  }
}
