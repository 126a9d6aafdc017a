import { readFileSync, readdirSync } from "node:fs";
import { cpuSeconds } from "../harness/process-usage.ts";

/** These processes and all that descend from them. */
function treeOf(roots: readonly number[]): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const parent = /^\d+$/.test(name) ? parentOf(name) : undefined;
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && (roots.includes(pid) || isBelow(parents.get(pid)));
  return [...parents.keys()].filter(isBelow);
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  } catch {
    return undefined; // It has ended meanwhile.
  }
}

/** Processor seconds so far, by process. */
export function cpuOfTree(roots: readonly number[]): ReadonlyMap<number, number> {
  return new Map(treeOf(roots).map((pid) => [pid, cpuSeconds(pid)]));
}

/** Proportional set size: memory shared among processes counts once. */
export function memoryOfTree(roots: readonly number[]): number {
  const kib = treeOf(roots).map((pid) =>
    Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1] ?? 0),
  );
  return kib.reduce((sum, value) => sum + value, 0) * 1024;
}
