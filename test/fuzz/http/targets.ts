import type { Target } from "../engine/target.ts";
import { commandsTarget } from "./commands-target.ts";
import { connectionsTarget } from "./connections-target.ts";
import { hostileTarget } from "./hostile-target.ts";
import { routesTarget } from "./routes-target.ts";

/** What is reached by HTTP, and what reaches others by it. */
export const httpTargets: readonly Target[] = [
  routesTarget,
  connectionsTarget,
  hostileTarget,
  commandsTarget,
];
