import type { Target } from "./engine/target.ts";
import { formatTargets } from "./files/formats.ts";

/** All that is fuzzed. A new target is listed here. */
export const TARGETS: readonly Target[] = [...formatTargets];
