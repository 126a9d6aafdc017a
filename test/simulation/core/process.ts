import { AsyncLocalStorage } from "node:async_hooks";
import type { Machine } from "./machine.ts";
import type { Random } from "./random.ts";

/** Thrown at every edge by a process that is dead. */
export class ProcessDied extends Error {
  override readonly name = "ProcessDied";
}

/** A thread of a process: an event happens in the thread that asked for it, unless that has ended. */
export class SimulatedThread {
  readonly process: SimulatedProcess;
  readonly name: string;
  private hasEnded = false;
  private readonly ends: (() => void)[] = [];
  /** What an error comes to that nothing in the thread has caught; without it, the process ends by it. */
  onUncaught: ((error: unknown) => void) | undefined;

  constructor(process: SimulatedProcess, name: string) {
    this.process = process;
    this.name = name;
  }

  get isAlive(): boolean {
    return !this.hasEnded && this.process.isAlive;
  }

  onEnd(undo: () => void): void {
    this.ends.push(undo);
  }

  /** Nothing happens in it any more; its process goes on. */
  end(): void {
    if (this.hasEnded) return;
    for (const undo of this.ends) undo();
    this.hasEnded = true;
  }

  crash(error: unknown): void {
    if (this.onUncaught === undefined) this.process.crash(error);
    else this.onUncaught(error);
  }
}

/** A process of the operating system: dies at once, and between any two steps over an edge. */
export class SimulatedProcess {
  readonly name: string;
  readonly machine: Machine;
  readonly mainThread: SimulatedThread;
  /** Of what chance has a part in. */
  readonly random: Random;
  /** Called before each crossing takes effect. */
  observer: ((edge: string) => void) | undefined;
  /** An error that nothing has caught: it ends a process of Node. */
  onCrash: ((error: unknown) => void) | undefined;
  private living = true;
  private crossingsLeft = Number.POSITIVE_INFINITY;
  private readonly undos = new Set<() => void>();

  constructor(name: string, machine: Machine) {
    this.machine = machine;
    this.name = name;
    this.random = machine.random.fork(name);
    this.mainThread = new SimulatedThread(this, "main");
    machine.processes.add(this);
  }

  get isAlive(): boolean {
    return this.living;
  }

  /** Whether it dies at the next crossing. */
  get isAboutToDie(): boolean {
    return this.living && this.crossingsLeft <= 1;
  }

  /** To be called before whatever reaches out of the process. @throws ProcessDied when it is dead, or dies here */
  cross(edge: string): void {
    if (this.living) {
      this.observer?.(edge);
      this.crossingsLeft -= 1;
      if (this.crossingsLeft <= 0) this.kill();
    }
    if (!this.living) throw new ProcessDied(`${this.name} has died`);
  }

  /** Dies at the n-th crossing from now: 1 is the next. */
  dieAtCrossing(n: number): void {
    this.crossingsLeft = n;
  }

  kill(): void {
    if (!this.living) return;
    this.living = false;
    this.machine.processes.delete(this);
    for (const undo of [...this.undos].toReversed()) undo();
    this.undos.clear();
    this.machine.disk.killProcess(this);
  }

  /** Ends by an error that nothing has caught. */
  crash(error: unknown): void {
    if (!this.living) return;
    this.kill();
    if (this.onCrash === undefined) throw error;
    this.onCrash(error);
  }

  /** @returns takes it back */
  onDeath(undo: () => void): () => void {
    this.undos.add(undo);
    return () => this.undos.delete(undo);
  }
}

const context = new AsyncLocalStorage<SimulatedThread>();

/** Undefined outside of all simulated processes: in the simulation itself. */
export function currentProcess(): SimulatedProcess | undefined {
  return context.getStore()?.process;
}

export function currentThread(): SimulatedThread | undefined {
  return context.getStore();
}

export function runIn<T>(process: SimulatedProcess, run: () => T): T {
  return context.run(process.mainThread, run);
}

export function runInThread<T>(thread: SimulatedThread, run: () => T): T {
  return context.run(thread, run);
}

/** As the simulation itself. */
export function runOutside<T>(run: () => T): T {
  return context.exit(run);
}
