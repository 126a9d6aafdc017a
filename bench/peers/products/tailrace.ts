import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ServingProcess } from "../../../test/harness/node-process.ts";
import { compilePackage } from "../../harness/compiled.ts";
import type { Workspace } from "../../harness/workspace.ts";
import { createFilePair, removeReplicaFiles } from "../file-pair.ts";
import type { Cluster, Peer } from "../contract.ts";

const CHECKOUT = new URL("../../../", import.meta.url);

let cli = "";

async function start(space: Workspace): Promise<Cluster> {
  const pair = await createFilePair(space);
  const primary = await space.serve(["primary", pair.primary.address], { cli });
  let replica: ServingProcess | undefined;
  return {
    ...pair,
    startReplica: async () => {
      replica = await space.launch(["replica", primary.url, pair.replica.address], { cli });
    },
    stopReplica: async () => {
      if (replica?.isRunning === true) await replica.stop();
    },
    forgetReplica: () => removeReplicaFiles(space, ["-tailrace"]),
    processes: () => [primary.pid, replica!.pid],
  };
}

export const tailrace: Peer = {
  name: "tailrace",
  title: "Tailrace",
  settings:
    "defaults: durability=commit on both nodes. The application writes by itself to the file, journal_mode=WAL, synchronous=FULL",
  howToGet: "npm install",
  questions: ["lag", "commits", "writer-cost", "reads", "idle", "memory", "catch-up", "bootstrap"],
  notes: {},
  version: () => {
    const text = readFileSync(new URL("package.json", CHECKOUT), "utf8");
    const { version } = JSON.parse(text) as { version: string };
    const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: CHECKOUT,
      encoding: "utf8",
    });
    return `${version} at ${commit.trim()}`;
  },
  prepare: (space) => void (cli ||= compilePackage(space.path("package"))),
  start,
};
