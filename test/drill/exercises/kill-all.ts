import { setTimeout as pause } from "node:timers/promises";
import type { Exercise } from "../exercise.ts";

export const killAll: Exercise = {
  name: "kill-all",
  what: "kill -9 of all nodes and writers at once, then a start in any order",
  async run({ nodes, writers }, chance) {
    await pause(chance.integer(0, 1500));
    await Promise.all([
      ...nodes.map((node) => node.kill()),
      ...Array.from({ length: writers.count }, (_, id) => writers.kill(id)),
    ]);
    const isWriterFirst = chance.integer(0, 1) === 0;
    if (isWriterFirst) await writers.start();
    // In the other order a replica asks where nobody is yet.
    for (const node of chance.integer(0, 1) === 0 ? nodes : nodes.toReversed()) await node.start();
    await writers.start();
  },
};
