import { setTimeout as pause } from "node:timers/promises";
import type { Exercise } from "../exercise.ts";

/** From before its first line of code to after its first commits. */
const MAX_LIFE_MS = 900;

export const killLoop: Exercise = {
  name: "kill-loop",
  what: "kill -9 of one node in a tight loop, ten times, mostly on its way up",
  async run({ nodes }, chance) {
    const node = nodes[chance.integer(0, nodes.length - 1)]!;
    for (let kill = 0; kill < 10; kill++) {
      await node.kill();
      node.launch();
      await pause(chance.integer(0, MAX_LIFE_MS));
    }
    await node.kill();
    await node.start();
  },
};
