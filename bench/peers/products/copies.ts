import { startNginx } from "../../harness/nginx.ts";
import { timeCommand } from "../../harness/workspace.ts";
import type { Workspace } from "../../harness/workspace.ts";
import type { Cluster, Peer, QuestionName } from "../contract.ts";
import { createFilePair, removeReplicaFiles } from "../file-pair.ts";
import { programVersion } from "../tools.ts";

const COPIES: readonly QuestionName[] = ["bootstrap"];
const NOTES: Peer["notes"] = {
  lag: "Follows nothing: each copy is of one moment.",
  "catch-up": "Copies all again: see the bootstrap.",
  bootstrap: "Nothing is checked, nothing is forced to disk, nobody may write meanwhile.",
};

async function startCopying(space: Workspace, copy: (from: string, to: string) => void): Promise<Cluster> {
  const { primary, replica } = await createFilePair(space);
  return {
    primary,
    replica,
    startReplica: async () => {
      copy(primary.address, replica.address);
      await Promise.resolve();
    },
    stopReplica: async () => {},
    forgetReplica: () => removeReplicaFiles(space),
    processes: () => [],
  };
}

/** The least that it takes to have the same bytes twice on one machine. */
export const cp: Peer = {
  name: "cp",
  title: "cp",
  settings: "`cp` of the database file while nobody writes",
  howToGet: "apt-get install coreutils",
  questions: COPIES,
  notes: NOTES,
  version: () => programVersion("cp", "--version"),
  start: async (space) =>
    await startCopying(space, (from, to) => void timeCommand("cp", ["--reflink=never", from, to])),
};

/** The least that it takes to have them by HTTP. */
export const nginx: Peer = {
  name: "nginx",
  title: "nginx and curl",
  settings: "one worker, sendfile, no access log; `curl` writes the file",
  howToGet: "apt-get install nginx curl",
  questions: COPIES,
  notes: NOTES,
  version: () => programVersion("nginx", "-v"),
  start: async (space) => {
    const url = await startNginx(space, space.folder);
    return await startCopying(space, (_, to) => void timeCommand("curl", ["-sf", "-o", to, `${url}/app.db`]));
  },
};
