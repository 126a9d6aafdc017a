import type { Question } from "../contract.ts";
import { memoryOfTree } from "../process-tree.ts";

export const memory: Question = {
  name: "memory",
  title: "Memory",
  meaning: () =>
    "Proportional set size (PSS: what processes share counts once) of all processes of primary and replica together, after the questions above and before the bulk. Page cache is not in it.",
  metrics: [{ name: "mebibytes", label: "MiB", better: "lower" }],
  ask: async ({ cluster }) => ({ mebibytes: memoryOfTree(await cluster.processes()) / 2 ** 20 }),
};
