import type { Random } from "../core/random.ts";
import type { World } from "../world/world.ts";
import type { Kind } from "./plan.ts";

/** Something that can be done to the world. */
export interface Action extends Kind {
  run(world: World, random: Random): void;
}

/** Ordinary use. */
export function use(weight: number, run: Action["run"]): Action {
  return { weight, isFault: false, run };
}

/** Misfortune. */
export function fault(weight: number, run: Action["run"]): Action {
  return { weight, isFault: true, run };
}
