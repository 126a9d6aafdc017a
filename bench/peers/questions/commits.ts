import { settleDisk } from "../../harness/workspace.ts";
import type { Question } from "../contract.ts";
import { metricsOf, perSecond } from "./burst.ts";

const CLIENTS = [1, 64];

export const commits: Question = {
  name: "commits",
  title: "Durable commits a second",
  meaning: ({ burstSeconds }) =>
    `Transactions of one row of 100 bytes, acknowledged as durable, in ${burstSeconds} s, while the replica follows. The clients are connections of one process, each commits again as soon as its last commit is acknowledged. SQLite's connections are synchronous, so 64 of them in one process take turns.`,
  metrics: metricsOf(CLIENTS),
  ask: async (session) => {
    const figures: Record<string, number> = {};
    for (const count of CLIENTS) {
      settleDisk();
      figures[`with${count}`] = await perSecond(session, "commits", session.cluster.primary, count);
    }
    return figures;
  },
};
