import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Workspace } from "../../harness/workspace.ts";
import type { Cluster, Peer } from "../contract.ts";
import { Daemon } from "../daemon.ts";
import { createFilePair, removeReplicaFiles } from "../file-pair.ts";
import { goInstall, program, programVersion } from "../tools.ts";

/** A follower that cannot go on says so at once. */
const REFUSAL_MS = 500;

interface Pace {
  /** In a database's configuration. */
  readonly monitor: string;
  readonly sync: string;
  readonly follow: string;
}

/** @param pace its own defaults where not given */
async function start(space: Workspace, pace?: Pace): Promise<Cluster> {
  const pair = await createFilePair(space);
  const storage = space.path("litestream");
  const configuration = {
    dbs: [
      {
        path: pair.primary.address,
        ...(pace !== undefined && { "monitor-interval": pace.monitor }),
        replica: {
          type: "file",
          path: storage,
          ...(pace !== undefined && { "sync-interval": pace.sync }),
        },
      },
    ],
  };
  // JSON is YAML too.
  writeFileSync(space.path("litestream.yml"), JSON.stringify(configuration));
  const litestream = program("litestream");
  const primary = new Daemon(space, litestream, ["replicate", "-config", space.path("litestream.yml")]);
  await primary.ready(() => primary.text.includes("snapshot complete"));
  const follow = pace === undefined ? [] : ["-follow-interval", pace.follow];
  const restore = ["restore", "-f", ...follow, "-o", pair.replica.address, `file://${storage}`];
  let replica: Daemon | undefined;
  return {
    ...pair,
    replica: { ...pair.replica, isReopened: true },
    startReplica: async () => {
      replica = new Daemon(space, litestream, restore);
      await pause(REFUSAL_MS);
      if (replica.isRunning) return;
      removeReplicaFiles(space, ["-txid"]);
      replica = new Daemon(space, litestream, restore);
    },
    stopReplica: async () => await replica?.stop(),
    forgetReplica: () => removeReplicaFiles(space, ["-txid"]),
    processes: () => [primary.pid, replica!.pid],
  };
}

const INSTALL = goInstall("github.com/benbjohnson/litestream/cmd/litestream@latest");
const READERS = "Its follower waits while a reader has the file open, so each look opens the file anew.";

/** Replicates to a folder, and follows that by restoring from it. */
export const litestream: Peer = {
  name: "litestream",
  title: "Litestream",
  settings:
    "defaults: sync-interval, monitor-interval and follow-interval 1s, replica of type file, `restore -f`. The application's writer as Tailrace's",
  howToGet: INSTALL,
  questions: ["lag", "commits", "writer-cost", "reads", "idle", "memory", "catch-up", "bootstrap"],
  notes: {
    lag: READERS,
    reads: READERS,
    "catch-up":
      "Where its follower refuses to resume (saved transaction ahead of the newest snapshot), its file is removed and restored anew, as it says. That is in the time.",
  },
  version: () => programVersion("litestream", "version"),
  start: async (space) => await start(space),
};

const EAGER: Pace = { monitor: "10ms", sync: "10ms", follow: "10ms" };

/** The same with all of its intervals as short as is sensible: what it could do if that were recommended. */
export const litestreamEager: Peer = {
  ...litestream,
  name: "litestream-eager",
  title: "Litestream, 10 ms",
  settings: "sync-interval, monitor-interval and follow-interval 10ms, else as above",
  questions: ["lag", "writer-cost", "idle"],
  notes: { lag: READERS },
  start: async (space) => await start(space, EAGER),
};
