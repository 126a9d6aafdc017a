import { takeDescriptors } from "../../harness/descriptors.ts";
import type { Exercise } from "../exercise.ts";

export const descriptors: Exercise = {
  name: "descriptors",
  what: "a node gets no more file descriptors (prlimit) while 60 commits pass",
  async run(cluster, chance) {
    const node = cluster.nodes[chance.integer(0, 3)]!;
    const giveBack = takeDescriptors(node.process.pid);
    try {
      await cluster.commits(60);
    } finally {
      if (node.isRunning) giveBack();
    }
    await node.arrive();
  },
};
