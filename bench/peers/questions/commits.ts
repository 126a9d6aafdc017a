import { settleDisk } from "../../harness/workspace.ts";
import { runClient } from "../client-program.ts";
import type { Question } from "../contract.ts";

const CLIENTS = [1, 64];

export const commits: Question = {
  name: "commits",
  title: "Durable commits a second",
  meaning: ({ burstSeconds }) =>
    `Transactions of one row of 100 bytes, acknowledged as durable, in ${burstSeconds} s, while the replica follows. The clients are connections of one process, each commits again as soon as its last commit is acknowledged. SQLite's connections are synchronous, so 64 of them in one process take turns.`,
  metrics: CLIENTS.map((count) => ({
    name: `with${count}`,
    label: `${count} client${count === 1 ? "" : "s"}`,
    better: "higher",
  })),
  ask: async ({ space, cluster, scale }) => {
    const figures: Record<string, number> = {};
    for (const count of CLIENTS) {
      settleDisk();
      const args = [count, scale.burstSeconds] as const;
      const { perSecond } = await runClient<{ perSecond: number }>(
        space,
        "commits",
        cluster.primary,
        ...args,
      );
      figures[`with${count}`] = perSecond;
    }
    return figures;
  },
};
