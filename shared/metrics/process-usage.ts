import { readFile, readdir } from "node:fs/promises";

/** What this process takes of the machine. */
export interface ProcessUsage {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  /** Null where the system does not tell. */
  readonly openDescriptors: number | null;
  readonly maxDescriptors: number | null;
}

export async function processUsage(): Promise<ProcessUsage> {
  const { user, system } = process.cpuUsage();
  const [openDescriptors, maxDescriptors] = await Promise.all([countDescriptors(), descriptorLimit()]);
  return {
    residentBytes: process.memoryUsage.rss(),
    cpuSeconds: (user + system) / 1e6,
    openDescriptors,
    maxDescriptors,
  };
}

async function countDescriptors(): Promise<number | null> {
  const names = await readdir("/proc/self/fd").catch(() => null);
  // One of them is that of the reading.
  return names === null ? null : names.length - 1;
}

async function descriptorLimit(): Promise<number | null> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? null : Number(soft);
}
