import { setTimeout as pause } from "node:timers/promises";
import type { Exercise } from "../exercise.ts";

export const killWriter: Exercise = {
  name: "kill-writer",
  what: "kill -9 of a writer, eight times, within its commits and between them",
  async run({ writers }, chance) {
    for (let kill = 0; kill < 8; kill++) {
      await pause(chance.integer(0, 300));
      await writers.kill(chance.integer(0, writers.count - 1));
      await writers.start();
    }
  },
};
