import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { ChunkSource } from "./chunk-source.ts";
import type { GenerationHolds } from "./generation-holds.ts";
import type { History } from "./history.ts";
import type { ServeLimits } from "./limits.ts";
import type { NodeState } from "./node-state.ts";
import type { Reporter } from "./reporter.ts";
import type { Sightings } from "./sightings.ts";
import type { StatusSource } from "./status-source.ts";
import type { Waiters } from "./waiters.ts";

/** What the routes share. */
export interface Parts {
  readonly role: "primary" | "replica";
  /** Of Tailrace. */
  readonly version: string;
  readonly state: NodeState;
  readonly waiters: Waiters;
  readonly chunks: ChunkSource;
  readonly sightings: Sightings;
  readonly holds: GenerationHolds;
  readonly reporter: Reporter;
  /** The engine's part of what there is to see, and the server's. */
  readonly status: StatusSource;
  /** What it was in the last hour. */
  readonly history: History;
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
