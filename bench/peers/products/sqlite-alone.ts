import type { Peer } from "../contract.ts";
import { createFilePair } from "../file-pair.ts";

const NO_REPLICA = "There is no replica.";

/** What products on SQLite are held against: no replication, one file, its writers and its readers. */
export const sqliteAlone: Peer = {
  name: "sqlite",
  title: "SQLite alone",
  settings: "node:sqlite, journal_mode=WAL, synchronous=FULL",
  howToGet: "npm install",
  questions: ["lag", "commits", "reads"],
  notes: {
    lag: "Not a replica: another process reads the writer's own file. The limit of what a replica can be.",
    "writer-cost": NO_REPLICA,
    reads: "Reads the writer's own file.",
    idle: "Has no processes.",
    memory: "Has no processes.",
    "catch-up": NO_REPLICA,
    bootstrap: NO_REPLICA,
  },
  version: () => process.versions["sqlite"],
  start: async (space) => {
    const { primary } = await createFilePair(space);
    return {
      primary,
      replica: { ...primary, isReadOnly: true },
      startReplica: async () => {},
      stopReplica: async () => {},
      forgetReplica: () => {},
      processes: () => [],
    };
  },
};
