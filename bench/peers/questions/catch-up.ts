import type { Question } from "../contract.ts";
import { fillOnce, inMegabytes, secondsUntilSeen } from "./bulk.ts";

export const catchUp: Question = {
  name: "catch-up",
  title: "Catch-up of a backlog",
  meaning: ({ bulkBytes }) =>
    `While the replica is stopped, ${inMegabytes(bulkBytes)} of random rows are written, in transactions of a megabyte. Then it is started: seconds until a reader of it sees the last row. The start of the replica's process and of the reader's (about 0.1 s) is in the time.`,
  metrics: [{ name: "seconds", label: "seconds", better: "lower" }],
  ask: async (session) => {
    await session.cluster.stopReplica();
    const last = await fillOnce(session);
    return { seconds: await secondsUntilSeen(session, last) };
  },
};
