import { settleDisk } from "../../harness/workspace.ts";
import { runClient } from "../client-program.ts";
import type { Question, Session, Target } from "../contract.ts";

async function rate({ space, scale }: Session, target: Target): Promise<number> {
  settleDisk();
  const args = [1, scale.burstSeconds] as const;
  const { perSecond } = await runClient<{ perSecond: number }>(space, "commits", target, ...args);
  return perSecond;
}

async function rateOn(session: Session): Promise<number> {
  await session.cluster.processes();
  return await rate(session, session.cluster.primary);
}

async function rateOff(session: Session): Promise<number> {
  const { alone, primary } = session.cluster;
  if (alone !== undefined) return await rate(session, alone);
  await session.cluster.stopReplica();
  const off = await rate(session, primary);
  await session.cluster.startReplica();
  return off;
}

export const writerCost: Question = {
  name: "writer-cost",
  title: "Cost to the writer",
  meaning: ({ burstSeconds }) =>
    `The application's one writer at full speed for ${burstSeconds} s, with replication and without; which comes first changes with the repetition. The share is what is left of its commits with replication on.`,
  metrics: [
    { name: "on", label: "commits/s, on", better: "higher" },
    { name: "off", label: "commits/s, off", better: "higher" },
    { name: "share", label: "on / off", better: "higher" },
  ],
  ask: async (session) => {
    let [on, off] = [0, 0];
    if (session.repetition % 2 === 0) {
      on = await rateOn(session);
      off = await rateOff(session);
    } else {
      off = await rateOff(session);
      on = await rateOn(session);
    }
    return { on, off, share: on / off };
  },
};
