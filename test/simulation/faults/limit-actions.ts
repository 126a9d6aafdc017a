import type { Primary } from "../../../src/primary.ts";
import { use } from "./action.ts";
import type { Action } from "./action.ts";

const KIB = 1024;

/** What an operator does while nodes run. */
export const limitActions: Readonly<Record<string, Action>> = {
  configure: use(0.5, (world, random) => {
    const limits = {
      snapshotAfterBytes: random.pick([64, 512]) * KIB,
      keepSnapshots: world.settings.primary.keepSnapshots,
      walSoftLimitBytes: 64 * KIB,
    };
    const done = world.primary.node.use((handle) => (handle as Primary).configure(limits));
    void done?.catch(() => world.counts.add("limits refused"));
  }),
};
