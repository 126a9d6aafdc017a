import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Machine } from "../core/machine.ts";
import { SimulatedProcess } from "../core/process.ts";
import { Random } from "../core/random.ts";
import { Scheduler } from "../core/scheduler.ts";

/** Where SQLite's syncs cost nothing. */
const MEMORY = "/dev/shm";

/** A machine with a disk of its own, for as long as `work` runs. */
export function withMachine<T>(seed: string, work: (machine: Machine) => T): T {
  const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "tailrace-disk-"));
  try {
    return work(new Machine({ name: "m", folder, scheduler: new Scheduler(), random: new Random(seed) }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function startProcess(machine: Machine): SimulatedProcess {
  return new SimulatedProcess("p", machine);
}
