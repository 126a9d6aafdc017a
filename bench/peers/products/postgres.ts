import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, chownSync, mkdirSync, rmSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Workspace } from "../../harness/workspace.ts";
import { runClient } from "../client-program.ts";
import type { Cluster, Peer, Target } from "../contract.ts";
import { Daemon } from "../daemon.ts";
import { npmInstall, packageVersion, program, programVersion } from "../tools.ts";

const USER = "postgres";
const SLOT = "edge";

/** It refuses to run as root; then it runs as the user that its package has made. */
function identity(): { uid: number; gid: number } | undefined {
  return process.getuid!() === 0 ? { uid: idOfUser("-u"), gid: idOfUser("-g") } : undefined;
}

function idOfUser(kind: "-u" | "-g"): number {
  return Number(execFileSync("id", [kind, USER], { encoding: "utf8" }));
}

class Server {
  readonly target: Target;
  readonly data: string;
  private readonly space: Workspace;
  private readonly sockets: string;
  private daemon: Daemon | undefined;

  constructor(space: Workspace, name: string) {
    this.space = space;
    this.data = space.path(`${name}-data`);
    this.sockets = space.path(name);
    this.target = { client: "postgres", address: this.sockets };
    mkdirSync(this.sockets);
    chmodSync(space.folder, 0o711);
    this.giveAway(this.sockets);
    this.empty();
  }

  /** Removes all of its data. */
  empty(): void {
    rmSync(this.data, { recursive: true, force: true });
    mkdirSync(this.data, { mode: 0o700 });
    this.giveAway(this.data);
  }

  private giveAway(folder: string): void {
    const owner = identity();
    if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  }

  run(name: string, argv: readonly string[]): void {
    execFileSync(program(name), argv, { ...identity(), cwd: "/", stdio: ["ignore", "ignore", "pipe"] });
  }

  async start(): Promise<void> {
    // Killed by force it would leave its children for a moment.
    this.daemon = new Daemon(
      this.space,
      program("postgres"),
      ["-D", this.data, "-k", this.sockets, "-c", "listen_addresses="],
      { ...identity(), cwd: "/" },
      "SIGQUIT",
    );
    await this.daemon.ready(() => this.isReady());
  }

  async stop(): Promise<void> {
    await this.daemon?.stop("SIGINT");
  }

  get pid(): number {
    return this.daemon!.pid;
  }

  private isReady(): boolean {
    try {
      this.run("pg_isready", ["-q", "-h", this.sockets, "-U", USER]);
      return true;
    } catch {
      return false;
    }
  }
}

async function start(space: Workspace): Promise<Cluster> {
  const primary = new Server(space, "primary");
  primary.run("initdb", ["-D", primary.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale"]);
  appendFileSync(
    `${primary.data}/postgresql.conf`,
    "fsync=on\nsynchronous_commit=on\nfull_page_writes=on\nwal_level=replica\nhot_standby=on\n",
  );
  await primary.start();
  await runClient(space, "create", primary.target);
  const standby = new Server(space, "standby");
  let isThere = false;
  let hasSlot = false;
  return {
    primary: primary.target,
    replica: standby.target,
    startReplica: async () => {
      if (!isThere) {
        const slot = ["-S", SLOT, ...(hasSlot ? [] : ["-C"])];
        const from = ["-h", primary.target.address, "-U", USER];
        standby.run("pg_basebackup", [
          ...from,
          "-D",
          standby.data,
          "-R",
          "-X",
          "stream",
          "-c",
          "fast",
          ...slot,
        ]);
        [isThere, hasSlot] = [true, true];
      }
      await standby.start();
    },
    stopReplica: async () => await standby.stop(),
    forgetReplica: async () => {
      // The primary notices within moments that nobody uses the slot any more.
      await pause(100);
      standby.empty();
      isThere = false;
    },
    processes: () => [primary.pid, standby.pid],
  };
}

/** Streaming replication to a hot standby. */
export const postgres: Peer = {
  name: "postgres",
  title: "PostgreSQL",
  settings:
    "fsync=on, synchronous_commit=on (the standby is asynchronous), full_page_writes=on, hot standby by pg_basebackup with a replication slot, all else the defaults of its package. Clients by the unix socket, prepared statements",
  howToGet: `apt-get install postgresql; ${npmInstall("pg")}`,
  questions: ["lag", "commits", "writer-cost", "reads", "idle", "memory", "catch-up", "bootstrap"],
  notes: {
    "writer-cost": "Off: the standby is stopped, and its slot stays.",
    memory: "128 MiB of shared_buffers on each server, counted as far as they are in use.",
    bootstrap: "pg_basebackup forces all of it to disk.",
  },
  version: () => {
    const client = packageVersion("pg");
    const server = programVersion("postgres", "--version");
    return client === undefined || server === undefined ? undefined : `${server}, npm pg ${client}`;
  },
  start,
};
