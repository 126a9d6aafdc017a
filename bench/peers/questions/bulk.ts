import { settleDisk } from "../../harness/workspace.ts";
import { runClient } from "../client-program.ts";
import type { Session } from "../contract.ts";

/** Writes the bulk, unless it is there. @returns the last id */
export async function fillOnce(session: Session): Promise<number> {
  if (session.bulkLast !== undefined) return session.bulkLast;
  const { space, cluster, scale } = session;
  const { last } = await runClient<{ last: number }>(space, "fill", cluster.primary, scale.bulkBytes);
  return (session.bulkLast = last);
}

/** Starts the replica. @returns seconds until a reader saw the last row */
export async function secondsUntilSeen({ space, cluster }: Session, last: number): Promise<number> {
  settleDisk();
  const startUs = Number(process.hrtime.bigint()) / 1e3;
  await cluster.startReplica();
  const { momentUs } = await runClient<{ momentUs: number }>(space, "until", cluster.replica, last);
  return (momentUs - startUs) / 1e6;
}

export function inMegabytes(sizeBytes: number): string {
  return sizeBytes >= 1e9 ? `${sizeBytes / 1e9} GB` : `${sizeBytes / 1e6} MB`;
}
