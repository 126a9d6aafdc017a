import { setTimeout as pause } from "node:timers/promises";
import { percentile } from "../../harness/result.ts";
import { endOfClient, runClient, startClient } from "../client-program.ts";
import type { Question, Session } from "../contract.ts";

const RATES = [100, 1_000];
const WARM_UP_SECONDS = 1;
const SEEN_LIMIT_MS = 30_000;

interface Paced {
  readonly first: number;
  readonly committedUs: readonly number[];
  readonly reached: number;
}

async function measure({ space, cluster, scale }: Session, rate: number): Promise<Record<string, number>> {
  const watcher = startClient(space, "watch", cluster.replica);
  await watcher.waitFor(/watching\n/);
  const seconds = WARM_UP_SECONDS + scale.lagSeconds;
  const paced = await runClient<Paced>(space, "pace", cluster.primary, rate, seconds);
  const { first, committedUs, reached } = paced;
  watcher.send(String(first + committedUs.length - 1));
  const seen = await endOfClient<[id: number, momentUs: number][]>(watcher, SEEN_LIMIT_MS);
  const lags: number[] = [];
  let next = first;
  for (const [id, momentUs] of seen)
    for (; next <= id && next < first + committedUs.length; next++)
      if (next - first >= rate * WARM_UP_SECONDS)
        // Who looks while the writer is on its way back from the commit may see it first.
        lags.push(Math.max(0, (momentUs - committedUs[next - first]!) / 1e3));
  return {
    [`p50At${rate}`]: percentile(lags, 0.5),
    [`p99At${rate}`]: percentile(lags, 0.99),
    [`reachedAt${rate}`]: reached,
  };
}

export const lag: Question = {
  name: "lag",
  title: "Replication lag",
  meaning: ({ lagSeconds }) =>
    `From the return of a commit on the primary until a reader of the replica, in another process, has seen its row; both on one clock. One writer commits one row of 100 bytes at each tick of a timetable, for ${lagSeconds} s after a second of warm-up; the reader looks as often as it can, at most some ten thousand times a second. Where the disk is too slow for the rate, the commits that were reached say so.`,
  metrics: RATES.flatMap((rate) => [
    { name: `p50At${rate}`, label: `p50 at ${rate}/s, ms`, better: "lower" as const },
    { name: `p99At${rate}`, label: `p99 at ${rate}/s, ms`, better: "lower" as const },
    { name: `reachedAt${rate}`, label: `of ${rate}/s reached` },
  ]),
  ask: async (session) => {
    const figures: Record<string, number> = {};
    for (const rate of RATES) {
      Object.assign(figures, await measure(session, rate));
      await pause(100);
    }
    return figures;
  },
};
