import { rmSync } from "node:fs";
import type { Workspace } from "../harness/workspace.ts";
import { runClient } from "./client-program.ts";
import type { Cluster, Target } from "./contract.ts";

const REPLICA_FILE = "edge.db";

/** The databases of peers that replicate ordinary SQLite files. */
export async function createFilePair(
  space: Workspace,
): Promise<Required<Pick<Cluster, "primary" | "replica" | "alone">>> {
  const primary: Target = { client: "sqlite", address: space.path("app.db") };
  const alone: Target = { client: "sqlite", address: space.path("alone.db") };
  for (const target of [primary, alone]) await runClient(space, "create", target);
  const replica: Target = { client: "sqlite", address: space.path(REPLICA_FILE), isReadOnly: true };
  return { primary, replica, alone };
}

/** Removes the replica's file and all beside it that has its name. */
export function removeReplicaFiles(space: Workspace, suffixes: readonly string[] = []): void {
  for (const suffix of ["", "-wal", "-shm", ...suffixes])
    rmSync(space.path(`${REPLICA_FILE}${suffix}`), { recursive: true, force: true });
}
