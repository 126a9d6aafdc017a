import type { Question } from "../contract.ts";
import { fillOnce, inMegabytes, secondsUntilSeen } from "./bulk.ts";

export const bootstrap: Question = {
  name: "bootstrap",
  title: "Bootstrap of a new replica",
  meaning: ({ bulkBytes }) =>
    `A replica that has nothing is started beside a primary with ${inMegabytes(bulkBytes)} of random rows: seconds until a reader of it sees the last row. Whatever the primary has to prepare for it is in the time.`,
  metrics: [{ name: "seconds", label: "seconds", better: "lower" }],
  ask: async (session) => {
    const last = await fillOnce(session);
    await session.cluster.stopReplica();
    await session.cluster.forgetReplica();
    return { seconds: await secondsUntilSeen(session, last) };
  },
};
