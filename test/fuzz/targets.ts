import type { Target } from "./engine/target.ts";
import { formatTargets } from "./files/formats.ts";
import { sqliteTargets } from "./files/sqlite.ts";

/** All that is fuzzed. A new target is listed here. */
export const TARGETS: readonly Target[] = [...formatTargets, ...sqliteTargets];
