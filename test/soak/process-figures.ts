import { readFileSync, readdirSync } from "node:fs";
import type { Figures } from "./measures.ts";

const TICKS_PER_SECOND = 100;

/** What the kernel says of a process. Its processor time is the share of it since the look before, from the second on. */
export class ProcessGauge {
  private readonly pid: number;
  private before: { readonly cpuSeconds: number; readonly atMs: number } | undefined;

  constructor(pid: number) {
    this.pid = pid;
  }

  /** @throws when the process is gone */
  look(atMs: number): Figures {
    const { cpuSeconds, threads } = this.stat();
    const { before } = this;
    this.before = { cpuSeconds, atMs };
    const memory = readFileSync(`/proc/${this.pid}/smaps_rollup`, "latin1");
    const bytes = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(memory)?.[1] ?? Number.NaN) * 1_024;
    return {
      residentBytes: bytes("Rss"),
      proportionalBytes: bytes("Pss"),
      anonymousBytes: bytes("Anonymous"),
      descriptors: readdirSync(`/proc/${this.pid}/fd`).length,
      threads,
      ...(before === undefined
        ? {}
        : { cpuPercent: (100_000 * (cpuSeconds - before.cpuSeconds)) / (atMs - before.atMs) }),
    };
  }

  private stat(): { readonly cpuSeconds: number; readonly threads: number } {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    return { cpuSeconds: (fields[11]! + fields[12]!) / TICKS_PER_SECOND, threads: fields[17]! };
  }
}
