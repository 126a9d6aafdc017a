import type { Random } from "../core/random.ts";
import { GOOD } from "../network/link.ts";
import type { LinkQuality } from "../network/link.ts";
import type { Site } from "../world/site.ts";
import type { World } from "../world/world.ts";
import { fault } from "./action.ts";
import type { Action } from "./action.ts";

/** What lies between a replica and the node that it asks. */
export const networkFaults: Readonly<Record<string, Action>> = {
  cut: fault(1.5, (world, random) => {
    const ends = world.pickLink(random);
    if (ends === undefined) return;
    world.counts.add("cuts");
    world.network.cut(...ends);
    world.after(random.float() * random.pick([200, 2_000, 40_000]), "way is free", () =>
      world.network.heal(...ends),
    );
  }),
  reset: fault(1.5, (world, random) => {
    const ends = world.pickLink(random);
    if (ends === undefined) return;
    world.counts.add("connections broken");
    world.network.reset(...ends);
  }),
  corrupt: fault(1, (world, random) => {
    world.counts.add("ways that corrupt");
    spoil(world, random, { corruptChance: random.pick([0.01, 0.2]) })?.faults.add("corrupt");
  }),
  duplicate: fault(1, (world, random) => {
    world.counts.add("ways that duplicate");
    spoil(world, random, { duplicateChance: random.pick([0.1, 0.5]) });
  }),
  slow: fault(1, (world, random) => {
    world.counts.add("ways that are slow");
    spoil(world, random, { latencyMs: random.float() * 300, jitterMs: random.float() * 500 });
  }),
  throttle: fault(0.7, (world, random) => {
    world.counts.add("ways that are narrow");
    spoil(world, random, { bytesPerMs: random.pick([3, 30, 300]), splitChance: 0.5 });
  }),
  lose: fault(0.7, (world, random) => {
    world.counts.add("ways that lose packets");
    spoil(world, random, { lossChance: random.pick([0.02, 0.3]) });
  }),
};

/** For a while. @returns who asks that way */
function spoil(world: World, random: Random, quality: Partial<LinkQuality>): Site | undefined {
  const ends = world.pickLink(random);
  if (ends === undefined) return undefined;
  world.network.setQuality(...ends, quality);
  world.after(random.float() * random.pick([500, 5_000, 20_000]), "way is good", () =>
    world.network.setQuality(...ends, GOOD),
  );
  return world.sites.find(({ machine }) => machine === ends[0]);
}
