import { rmSync } from "node:fs";
import { freePort } from "../../harness/nginx.ts";
import type { Workspace } from "../../harness/workspace.ts";
import { runClient } from "../client-program.ts";
import type { Cluster, Peer } from "../contract.ts";
import { Daemon } from "../daemon.ts";
import { goInstall, program, programVersion } from "../tools.ts";

class Node {
  readonly url: string;
  readonly data: string;
  private readonly space: Workspace;
  private readonly argv: readonly string[];
  private daemon: Daemon | undefined;

  constructor(space: Workspace, name: string, http: string, raft: string, join: readonly string[]) {
    this.space = space;
    this.url = `http://${http}`;
    this.data = space.path(name);
    this.argv = ["-node-id", name, "-http-addr", http, "-raft-addr", raft, ...join, this.data];
  }

  get pid(): number {
    return this.daemon!.pid;
  }

  async start(): Promise<void> {
    this.daemon = new Daemon(this.space, program("rqlited"), this.argv);
    await this.daemon.ready(async () => {
      const { ok } = await fetch(`${this.url}/readyz`).catch(() => ({ ok: false }));
      return ok;
    });
  }

  async stop(): Promise<void> {
    await this.daemon?.stop();
  }
}

async function freeAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}

async function start(space: Workspace): Promise<Cluster> {
  const raft = await freeAddress();
  const primary = new Node(space, "primary", await freeAddress(), raft, []);
  await primary.start();
  const readOnly = ["-join", raft, "-raft-non-voter=true"];
  const replica = new Node(space, "edge", await freeAddress(), await freeAddress(), readOnly);
  const target = ({ url }: Node) => ({ client: "rqlite", address: url }) as const;
  await runClient(space, "create", target(primary));
  return {
    primary: target(primary),
    replica: target(replica),
    startReplica: async () => await replica.start(),
    stopReplica: async () => await replica.stop(),
    forgetReplica: () => rmSync(replica.data, { recursive: true, force: true }),
    processes: () => [primary.pid, replica.pid],
  };
}

/** A leader, and a read-only node: consensus among more would make its writes slower, and is not asked for here. */
export const rqlite: Peer = {
  name: "rqlite",
  title: "rqlite",
  settings: "one voting node and a read-only one, defaults: the Raft log is forced to disk with each request",
  howToGet: goInstall("github.com/rqlite/rqlite/v9/cmd/rqlited@latest"),
  questions: ["lag", "commits", "writer-cost", "reads", "idle", "memory", "catch-up", "bootstrap"],
  notes: {
    commits: "Plain writers of a file are not possible: writes go over HTTP.",
    "writer-cost": "Off: the read-only node is stopped.",
    reads: "Over HTTP with level=none: what the read-only node has.",
  },
  version: () => programVersion("rqlited", "-version"),
  start,
};
