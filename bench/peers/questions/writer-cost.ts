import { settleDisk } from "../../harness/workspace.ts";
import type { Question, Session, Target } from "../contract.ts";
import { perSecond } from "./burst.ts";

async function rate(session: Session, target: Target, seconds: number): Promise<number> {
  settleDisk();
  return await perSecond(session, "commits", target, 1, seconds);
}

async function rateOn(session: Session): Promise<number> {
  await session.cluster.processes();
  return await rate(session, session.cluster.primary, session.scale.burstSeconds / 2);
}

async function rateOff(session: Session): Promise<number> {
  const { cluster, scale } = session;
  if (cluster.alone !== undefined) return await rate(session, cluster.alone, scale.burstSeconds);
  await cluster.stopReplica();
  const off = await rate(session, cluster.primary, scale.burstSeconds);
  await cluster.startReplica();
  return off;
}

export const writerCost: Question = {
  name: "writer-cost",
  title: "Cost to the writer",
  meaning: ({ burstSeconds }) =>
    `The application's one writer at full speed, with replication for ${burstSeconds / 2} s, without for ${burstSeconds} s, and with it for ${burstSeconds / 2} s again, so that a machine that becomes slower or faster does not decide. The share is what is left of its commits with replication on.`,
  metrics: [
    { name: "on", label: "commits/s, on" },
    { name: "off", label: "commits/s, off" },
    { name: "share", label: "on / off", better: "higher" },
  ],
  ask: async (session) => {
    const before = await rateOn(session);
    const off = await rateOff(session);
    const on = (before + (await rateOn(session))) / 2;
    return { on, off, share: on / off };
  },
};
