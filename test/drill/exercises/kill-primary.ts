import { setTimeout as pause } from "node:timers/promises";
import type { Exercise } from "../exercise.ts";

export const killPrimary: Exercise = {
  name: "kill-primary",
  what: "kill -9 of the primary, three times, at random moments",
  async run({ primary }, chance) {
    for (let kill = 0; kill < 3; kill++) {
      await pause(chance.integer(0, 1000));
      await primary.kill();
      await pause(chance.integer(0, 500));
      await primary.start();
    }
  },
};
