import { runClient } from "../client-program.ts";
import type { Metric, Session, Target } from "../contract.ts";

/** One figure for each number of clients. */
export function metricsOf(clients: readonly number[]): readonly Metric[] {
  return clients.map((count) => ({
    name: `with${count}`,
    label: `${count} client${count === 1 ? "" : "s"}`,
    better: "higher",
  }));
}

/** How often so many clients of one process do it in a second, each as often as it can. */
export async function perSecond(
  { space, scale }: Session,
  verb: "commits" | "reads",
  target: Target,
  clients: number,
  seconds: number = scale.burstSeconds,
): Promise<number> {
  const found = await runClient<{ perSecond: number }>(space, verb, target, clients, seconds);
  return found.perSecond;
}
