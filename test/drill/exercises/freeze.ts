import { setTimeout as pause } from "node:timers/promises";
import type { Exercise } from "../exercise.ts";

export const freeze: Exercise = {
  name: "freeze",
  what: "SIGSTOP of nodes and writers for up to two seconds, then SIGCONT; a frozen writer may hold the write lock",
  async run({ nodes, writers }, chance) {
    for (let round = 0; round < 3; round++) {
      const pids = [
        ...nodes.map(({ process: { pid } }) => pid),
        ...Array.from({ length: writers.count }, (_, id) => writers.pid(id)),
      ];
      const frozen = pids.filter(() => chance.integer(0, 2) === 0);
      await pause(chance.integer(0, 500));
      for (const pid of frozen) process.kill(pid, "SIGSTOP");
      await pause(chance.integer(0, 2000));
      for (const pid of frozen) process.kill(pid, "SIGCONT");
    }
  },
};
