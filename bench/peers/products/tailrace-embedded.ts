import type { Cluster, Peer } from "../contract.ts";
import { tailrace } from "./tailrace.ts";

async function doNothing(): Promise<void> {}

/** The application opens the primary in its own process, and its writers wait for the log. */
export const tailraceEmbedded: Peer = {
  name: "tailrace-embedded",
  title: "Tailrace, embedded",
  settings:
    "openPrimary() with defaults, durability=commit: a commit is acknowledged when `primary.durable()` says that it is in the log on disk",
  howToGet: tailrace.howToGet,
  questions: ["commits"],
  notes: { commits: "The 64 writers share one connection; each waits for its own commit." },
  version: () => tailrace.version(),
  start: async (space) => {
    const target = { client: "tailrace", address: space.path("embedded.db") } as const;
    const cluster: Cluster = {
      primary: target,
      replica: target,
      startReplica: doNothing,
      stopReplica: doNothing,
      forgetReplica: () => {},
      processes: () => [],
    };
    return await Promise.resolve(cluster);
  },
};
