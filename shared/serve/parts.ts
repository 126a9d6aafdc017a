import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { ChunkSource } from "./chunk-source.ts";
import type { ServeLimits } from "./limits.ts";
import type { NodeState } from "./node-state.ts";
import type { ReplicaRegistry } from "./replica-registry.ts";
import type { Waiters } from "./waiters.ts";

/** What the routes share. */
export interface Parts {
  readonly role: "primary" | "replica";
  readonly state: NodeState;
  readonly waiters: Waiters;
  readonly chunks: ChunkSource;
  readonly replicas: ReplicaRegistry;
  readonly downloads: Downloads;
  readonly limits: ServeLimits;
  /** Unix ms. */
  readonly clock: () => number;
  readonly startedMs: number;
}

/** How many files are being sent. */
export interface Downloads {
  count: number;
}

/** Node's own request and response beside Hono's: bodies go straight to the socket. */
export type NodeEnvironment = { Bindings: HttpBindings };
export type NodeContext = Context<NodeEnvironment>;
