import { currentProcess } from "../core/process.ts";
import type { SimulatedProcess } from "../core/process.ts";
import { systemError } from "../core/errno.ts";
import type { FaultyWork } from "../disk/disk-faults.ts";
import type { Disk } from "../disk/disk.ts";
import type { DiskFile } from "../disk/disk-file.ts";

/** A descriptor that a simulated process has open. Its number is that of a real one. */
export interface OpenFile {
  readonly process: SimulatedProcess;
  readonly path: string;
  /** Undefined of a folder, and of what is on no simulated disk. */
  readonly file: DiskFile | undefined;
  readonly forget: () => void;
}

export const openFiles: Map<number, OpenFile> = new Map();

/** Where a path leads, for the process that names it; undefined outside of the simulation. */
export interface Place {
  readonly process: SimulatedProcess;
  readonly disk: Disk;
  readonly nowMs: number;
}

/** One step of a process over an edge. @returns undefined where no process runs, or the path is on no simulated disk */
export function enter(edge: string, path: string): Place | undefined {
  const process = currentProcess();
  if (process === undefined) return undefined;
  process.cross(edge);
  const { disk } = process.machine;
  return disk.owns(path) ? { process, disk, nowMs: process.machine.clock.nowMs() } : undefined;
}

/**
 * One step of a process that has a descriptor. @returns undefined where no process runs
 * @throws EBADF also when it is another process's
 */
export function take(edge: string, descriptor: number): OpenFile | undefined {
  const process = currentProcess();
  if (process === undefined) return undefined;
  process.cross(edge);
  const open = openFiles.get(descriptor);
  if (open?.process !== process) throw systemError("EBADF", edge);
  return open;
}

export function placeOf({ process }: OpenFile): Place {
  const { disk, clock } = process.machine;
  return { process, disk, nowMs: clock.nowMs() };
}

/** Throws what the plan of faults has for this call. */
export function fail({ disk }: Place, work: FaultyWork, syscall: string, path: string): void {
  const code = disk.faults.take(work, path);
  if (code !== undefined) throw systemError(code, syscall, path);
}

export function pathOf(path: string | URL | Buffer): string {
  return path instanceof URL ? decodeURIComponent(path.pathname) : path.toString();
}
