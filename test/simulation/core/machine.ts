import { Disk } from "../disk/disk.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** 2026-01-01. */
const START_MS = 1_767_225_600_000;

/** The wall clock of a machine: virtual time, set wrong, and going wrong. */
export class MachineClock {
  private offsetMs: number;
  private rate = 1;
  private readonly scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
    this.offsetMs = START_MS;
  }

  /** How much faster than time it goes: 1 is right. */
  get drift(): number {
    return this.rate;
  }

  /** From now on; what it shows at this moment stays. */
  set drift(rate: number) {
    this.offsetMs += this.scheduler.nowMs * (this.rate - rate);
    this.rate = rate;
  }

  /** Unix ms; reading it takes a moment. */
  nowMs(): number {
    return this.offsetMs + this.scheduler.tick() * this.rate;
  }

  jump(ms: number): void {
    this.offsetMs += ms;
  }
}

export interface MachineOptions {
  readonly name: string;
  /** Absolute, on the real disk. */
  readonly folder: string;
  readonly scheduler: Scheduler;
  readonly random: Random;
}

/** A computer: a disk, a clock, and the processes that run on it. */
export class Machine {
  readonly name: string;
  readonly folder: string;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly clock: MachineClock;
  readonly disk: Disk;
  readonly processes: Set<SimulatedProcess> = new Set();
  private hasPower = true;
  private readonly onPowerLoss = new Set<() => void>();

  constructor({ name, folder, scheduler, random }: MachineOptions) {
    this.name = name;
    this.folder = folder;
    this.scheduler = scheduler;
    this.random = random;
    this.clock = new MachineClock(scheduler);
    this.disk = new Disk(folder, random);
  }

  /** From a loss of power until something runs on it again, nothing answers. */
  get isUp(): boolean {
    return this.hasPower || this.processes.size > 0;
  }

  /** Whoever talks to its processes hears nothing of it. */
  whenPowerFails(silence: () => void): void {
    this.onPowerLoss.add(silence);
  }

  /** All processes die, and the disk keeps what it has synced, and some of the rest. */
  powerLoss(): void {
    for (const silence of this.onPowerLoss) silence();
    for (const process of this.processes) process.kill();
    this.disk.powerLoss();
    this.hasPower = false;
  }
}
