import { fault } from "./action.ts";
import type { Action } from "./action.ts";

const HOUR_MS = 3_600_000;

/** Clocks that are set, and clocks that run wrong. */
export const clockFaults: Readonly<Record<string, Action>> = {
  "clock jump": fault(1, (world, random) => {
    world.counts.add("clock jumps");
    const most = random.pick([100, 5_000, HOUR_MS, 30 * 24 * HOUR_MS]);
    random.pick(world.sites).machine.clock.jump((random.float() * 2 - 1) * most);
  }),
  drift: fault(0.5, (world, random) => {
    world.counts.add("clocks that drift");
    random.pick(world.sites).machine.clock.drift = 1 + (random.float() * 2 - 1) * 0.01;
  }),
};
