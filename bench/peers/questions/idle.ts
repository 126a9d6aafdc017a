import { setTimeout as pause } from "node:timers/promises";
import type { Question } from "../contract.ts";
import { cpuOfTree } from "../process-tree.ts";

const SETTLE_MS = 2_000;

export const idle: Question = {
  name: "idle",
  title: "Idle cost",
  meaning: ({ idleSeconds }) =>
    `Processor time of all processes of primary and replica together while nothing is written or read, as a share of one core over ${idleSeconds} s, from /proc. The kernel counts in ticks of 10 ms: ${(1 / idleSeconds).toFixed(1)} % is the least that can be told from nothing.`,
  metrics: [{ name: "percent", label: "% of a core", better: "lower", resolution: 0.1 }],
  ask: async ({ cluster, scale }) => {
    const roots = await cluster.processes();
    await pause(SETTLE_MS);
    const before = cpuOfTree(roots);
    const start = performance.now();
    await pause(scale.idleSeconds * 1000);
    const seconds = (performance.now() - start) / 1000;
    let used = 0;
    for (const [pid, cpu] of cpuOfTree(roots)) used += cpu - (before.get(pid) ?? 0);
    return { percent: (used / seconds) * 100 };
  },
};
