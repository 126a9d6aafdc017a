import type { Question } from "../contract.ts";
import { metricsOf, perSecond } from "./burst.ts";

const CLIENTS = [1, 16];

export const reads: Question = {
  name: "reads",
  title: "Reads a second on the replica",
  meaning: ({ burstSeconds }) =>
    `Rows of 100 bytes by their key, at random among all that the questions before have written, for ${burstSeconds} s, while nobody writes. The clients are connections of one process.`,
  metrics: metricsOf(CLIENTS),
  ask: async (session) => {
    const figures: Record<string, number> = {};
    for (const count of CLIENTS)
      figures[`with${count}`] = await perSecond(session, "reads", session.cluster.replica, count);
    return figures;
  },
};
