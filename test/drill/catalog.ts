import type { Exercise } from "./exercise.ts";
import { killAll } from "./exercises/kill-all.ts";
import { killLoop } from "./exercises/kill-loop.ts";
import { killPrimary } from "./exercises/kill-primary.ts";
import { killReplica } from "./exercises/kill-replica.ts";
import { killWriter } from "./exercises/kill-writer.ts";

/** All there are, in the order of `--list`. */
export const exercises: readonly Exercise[] = [killPrimary, killReplica, killWriter, killAll, killLoop];
