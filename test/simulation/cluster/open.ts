import { runIn } from "../core/process.ts";
import type { SimulatedProcess } from "../core/process.ts";
import { openPrimary, openReplica } from "./product.ts";
import type { Primary, PrimaryOptions } from "../../../src/primary.ts";
import type { Replica, ReplicaOptions } from "../../../src/replica.ts";

export type NodeSettings =
  | { readonly role: "primary"; readonly settings: PrimaryOptions }
  | { readonly role: "replica"; readonly settings: ReplicaOptions };

/**
 * Opens a node in the process, as the program of a user would. The promise settles within the steps of the simulation;
 * never, when the process dies before.
 */
export function openIn(process: SimulatedProcess, node: NodeSettings): Promise<Primary | Replica> {
  return runIn(process, (): Promise<Primary | Replica> =>
    node.role === "primary" ? openPrimary(node.settings) : openReplica(node.settings),
  );
}
