import { Random } from "../core/random.ts";

/** Something that is done to the world: by the application, by readers, or by misfortune. */
export interface Decision {
  /** Its place in the plan: what is left out by it stays left out. */
  readonly index: number;
  /** Of virtual time, after the decision before it. */
  readonly delayMs: number;
  readonly kind: string;
  /** Of its own, so that it comes out the same whatever else is left out. */
  readonly random: Random;
}

/** How often what is done, in relation to the others; `isFault` where it is no ordinary use. */
export interface Kind {
  readonly weight: number;
  readonly isFault: boolean;
}

export interface PlanOptions {
  readonly seed: string;
  readonly kinds: Readonly<Record<string, Kind>>;
  readonly tempoMs: number;
  readonly withoutFaults: boolean;
  readonly omitted: ReadonlySet<number>;
  /** Those from this index on are left out. */
  readonly end: number;
}

/**
 * All that will be done, from the seed, one decision after the other. Each run draws which kinds it knows and how often they
 * come: runs that do little of much and much of little find more than runs that are all the same.
 */
export class Plan {
  /** Of those that were handed out. */
  readonly taken: Decision[] = [];
  private readonly options: PlanOptions;
  private readonly weights: readonly (readonly [kind: string, weight: number])[];
  private readonly random: Random;
  private index = 0;

  constructor(options: PlanOptions) {
    this.options = options;
    const { seed, kinds, withoutFaults } = options;
    this.random = new Random(`${seed}/plan`);
    const draw = new Random(`${seed}/kinds`);
    const faultRate = withoutFaults ? 0 : draw.pick([0.05, 0.2, 0.6]);
    const weights = Object.entries(kinds).map(([kind, { weight, isFault }]) => {
      const factor = drawFactor(draw, isFault);
      return [kind, isFault ? weight * factor * faultRate : weight * factor] as const;
    });
    this.weights = weights.filter(([, weight]) => weight > 0);
  }

  /** The next one that is not left out, if there is one; the pauses before those that are, are kept. */
  next(): Decision | undefined {
    let delayMs = 0;
    while (this.index < this.options.end) {
      const decision = this.draw();
      delayMs += decision.delayMs;
      if (this.options.omitted.has(decision.index)) continue;
      this.taken.push({ ...decision, delayMs });
      return { ...decision, delayMs };
    }
    return undefined;
  }

  private draw(): Decision {
    const { random } = this;
    const index = this.index++;
    const delayMs = this.delay();
    let at = random.float() * this.weights.reduce((sum, [, weight]) => sum + weight, 0);
    const found = this.weights.find(([, weight]) => (at -= weight) < 0) ?? this.weights.at(-1)!;
    const { seed } = this.options;
    return { index, delayMs, kind: found[0], random: new Random(`${seed}/${index}`) };
  }

  /** Bursts, and pauses in which timers come to their turn. */
  private delay(): number {
    const { random } = this;
    const { tempoMs } = this.options;
    if (random.chance(0.3)) return random.float() * 0.5;
    if (random.chance(0.04)) return random.float() * 40 * tempoMs;
    return random.float() * 2 * tempoMs;
  }
}

function drawFactor(random: Random, isFault: boolean): number {
  const isKnown = random.chance(isFault ? 0.45 : 0.75);
  const factor = random.pick([0.3, 1, 1, 4]);
  return isKnown ? factor : 0;
}
