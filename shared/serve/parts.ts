import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { EngineAnswers } from "../metrics/engine-answer.ts";
import type { ServerMetrics } from "../metrics/server.ts";
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
  readonly downloads: Gauge;
  /** Open sockets. */
  readonly connections: Gauge;
  readonly metrics: ServerMetrics;
  readonly engineMetrics: EngineAnswers;
  readonly limits: ServeLimits;
  /** Unix ms. */
  readonly clock: () => number;
  readonly startedMs: number;
}

/** How many there are at present. */
export interface Gauge {
  count: number;
}

/** Node's own request and response beside Hono's: bodies go straight to the socket. */
export type NodeEnvironment = {
  Bindings: HttpBindings;
  Variables: {
    /** What was asked for is served at this path. */
    route?: string;
  };
};
export type NodeContext = Context<NodeEnvironment>;
