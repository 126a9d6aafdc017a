import type { Chance } from "../harness/seed.ts";
import type { Cluster } from "./cluster.ts";

/** Something that goes wrong, and is over when `run` returns: all nodes run, and nothing is in their way any more. */
export interface Exercise {
  /** For `--only`. */
  readonly name: string;
  /** One line for `--list`. */
  readonly what: string;
  /** Whether the primary's own history goes back in it: the only excuse for a reader that sees an older state. */
  readonly takesBack?: true;
  /** Why it cannot be done on this machine; null where it can. */
  readonly lacks?: () => string | null;
  run(cluster: Cluster, chance: Chance): Promise<void>;
}
