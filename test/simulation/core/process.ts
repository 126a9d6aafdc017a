import { AsyncLocalStorage } from "node:async_hooks";
import { Disk } from "../disk/disk.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** Thrown at every edge by a process that is dead. */
export class ProcessDied extends Error {
  override readonly name = "ProcessDied";
}

const context = new AsyncLocalStorage<SimulatedProcess>();

export function currentProcess(): SimulatedProcess | undefined {
  return context.getStore();
}

export function runIn<T>(process: SimulatedProcess, run: () => T): T {
  return context.run(process, run);
}

/** The wall clock of a machine: virtual time, set wrong, and going wrong. */
export class MachineClock {
  /** How much faster than time it goes: 1 is right. */
  drift = 1;
  private offsetMs: number;
  private readonly scheduler: Scheduler;

  constructor(scheduler: Scheduler, startMs: number) {
    this.scheduler = scheduler;
    this.offsetMs = startMs;
  }

  /** Unix ms. */
  nowMs(): number {
    return this.offsetMs + this.scheduler.tick() * this.drift;
  }

  jump(ms: number): void {
    this.offsetMs += ms;
  }
}

/** 2026-01-01. */
const START_MS = 1_767_225_600_000;

/** A computer: a disk, a clock, and the processes that run on it. */
export class Machine {
  readonly name: string;
  /** Absolute, on the real disk. */
  readonly folder: string;
  readonly scheduler: Scheduler;
  readonly clock: MachineClock;
  readonly disk: Disk;
  readonly processes: Set<SimulatedProcess> = new Set();

  constructor(name: string, folder: string, scheduler: Scheduler, random: Random) {
    this.name = name;
    this.folder = folder;
    this.scheduler = scheduler;
    this.clock = new MachineClock(scheduler, START_MS);
    this.disk = new Disk(folder, random.fork(name));
  }

  /** All processes die, and the disk keeps what it has synced, and some of the rest. */
  powerLoss(): void {
    for (const process of this.processes) process.kill();
    this.disk.powerLoss();
  }
}

/** A process of the operating system: dies at once, and between any two steps over an edge. */
export class SimulatedProcess {
  readonly name: string;
  readonly machine: Machine;
  /** Called before each crossing takes effect. */
  observer: ((edge: string) => void) | undefined;
  private living = true;
  private crossingsLeft = Number.POSITIVE_INFINITY;
  private readonly undos: (() => void)[] = [];

  constructor(machine: Machine, name: string) {
    this.machine = machine;
    this.name = name;
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
    for (const undo of this.undos.toReversed()) undo();
    this.machine.disk.killProcess(this);
  }

  onDeath(undo: () => void): void {
    this.undos.push(undo);
  }
}
