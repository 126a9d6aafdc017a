import type { Random } from "../core/random.ts";
import type { World } from "../world/world.ts";
import { fault, use } from "./action.ts";
import type { Action } from "./action.ts";

/** A process that is to die within its work dies within so many calls into the system. */
const MAX_CROSSINGS = 600;

/** Processes and machines that die, and come back. */
export const processFaults: Readonly<Record<string, Action>> = {
  "restart node": use(0.6, (world, random) => {
    const site = random.pick(world.sites);
    site.restartMs = downMs(world, random);
    world.stop(site);
  }),
  kill: fault(2, (world, random) => {
    world.counts.add("kills");
    world.kill(random.pick(world.sites), downMs(world, random));
  }),
  "kill within": fault(5, (world, random) => {
    const site = random.pick(world.sites);
    const { process } = site.node;
    if (process === undefined) return;
    site.restartMs = downMs(world, random);
    world.counts.add("kills within an event");
    process.dieAtCrossing(1 + random.int(random.chance(0.5) ? 40 : MAX_CROSSINGS));
  }),
  "kill application": fault(1, (world, random) => {
    world.counts.add("kills of the application");
    world.application.kill();
    world.after(downMs(world, random), "application starts", () => world.startApplication());
  }),
  "kill application within": fault(2, (world, random) => {
    const { process } = world.application;
    if (process === undefined) return;
    world.counts.add("kills of the application");
    process.onDeath(() =>
      world.after(downMs(world, random), "application starts", () => world.startApplication()),
    );
    process.dieAtCrossing(1 + random.int(30));
  }),
  "power loss": fault(1.5, (world, random) => {
    world.counts.add("power losses");
    world.losePower(random.pick(world.sites), downMs(world, random));
  }),
  "power loss everywhere": fault(0.2, (world, random) => {
    for (const site of world.sites) {
      world.counts.add("power losses");
      world.losePower(site, downMs(world, random));
    }
  }),
};

/** Mostly back soon, now and then away while much happens. */
export function downMs({ settings }: World, random: Random): number {
  return random.float() * random.pick([1, 10, 10, 100]) * Math.max(10, settings.tempoMs);
}
