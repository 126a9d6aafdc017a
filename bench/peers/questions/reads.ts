import { runClient } from "../client-program.ts";
import type { Question } from "../contract.ts";

const CLIENTS = [1, 16];

export const reads: Question = {
  name: "reads",
  title: "Reads a second on the replica",
  meaning: ({ burstSeconds }) =>
    `Rows of 100 bytes by their key, at random among all that the questions before have written, for ${burstSeconds} s, while nobody writes. The clients are connections of one process.`,
  metrics: CLIENTS.map((count) => ({
    name: `with${count}`,
    label: `${count} client${count === 1 ? "" : "s"}`,
    better: "higher",
  })),
  ask: async ({ space, cluster, scale }) => {
    const figures: Record<string, number> = {};
    for (const count of CLIENTS) {
      const args = [count, scale.burstSeconds] as const;
      const { perSecond } = await runClient<{ perSecond: number }>(space, "reads", cluster.replica, ...args);
      figures[`with${count}`] = perSecond;
    }
    return figures;
  },
};
