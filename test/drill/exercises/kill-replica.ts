import { setTimeout as pause } from "node:timers/promises";
import type { Exercise } from "../exercise.ts";

export const killReplica: Exercise = {
  name: "kill-replica",
  what: "kill -9 of one replica after the other, four times, at random moments",
  async run({ replicas }, chance) {
    for (let kill = 0; kill < 4; kill++) {
      const node = replicas[chance.integer(0, 2)]!;
      await pause(chance.integer(0, 700));
      await node.kill();
      await pause(chance.integer(0, 500));
      await node.start();
    }
  },
};
