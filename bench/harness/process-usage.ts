import { readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

/** Processor time that a process has used so far, of all its threads, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The most resident memory that a process has had, in bytes: all of it, file-backed pages included. */
export function peakMemoryBytes(pid: number): number {
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return Number(match?.[1] ?? Number.NaN) * 1024;
}
