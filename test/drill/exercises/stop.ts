import type { Exercise } from "../exercise.ts";

export const stop: Exercise = {
  name: "stop",
  what: "SIGTERM of the primary, then of a replica; the writers write on, and on its next start it misses nothing",
  async run(cluster, chance) {
    for (const node of [cluster.primary, cluster.replicas[chance.integer(0, 2)]!]) {
      await node.stop();
      // In a WAL that starts anew every few commits: what came first in it is gone.
      await cluster.commits(chance.integer(1, 60));
      await node.start();
      await cluster.commits(chance.integer(0, 20));
    }
  },
};
