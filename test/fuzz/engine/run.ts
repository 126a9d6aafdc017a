import type { Step } from "./target.ts";

/** What a runner is to do. */
export interface Run {
  readonly targets: readonly string[];
  readonly seed: number;
  /** For its files. */
  readonly folder: string;
  /** Says which input it is at. */
  readonly markFile: string;
  /** For each target; without either, a short run. */
  readonly minutes?: number;
  readonly inputs?: number;
  readonly isShort?: boolean;
  /** The input to begin with; the corpus comes before the first. */
  readonly first?: number;
}

/** What a runner tells, one a line. */
export type Told = Found | Counts;

export interface Found {
  readonly kind: "finding";
  readonly target: string;
  readonly from: string;
  readonly problem: string;
  /** Undefined where a runner hung or died: it is known by seed and number alone. */
  readonly steps?: readonly Step[];
}

export interface Counts {
  readonly kind: "counts";
  readonly target: string;
  readonly accepted: number;
  readonly refused: number;
  readonly wrong: number;
  readonly ms: number;
}

/** The number of the input, as a double, and the target's name. */
export const MARK_BYTES = 64;

/** The seed of one input of a run: it can be had again without those before it. */
export function inputChance(seed: number, index: number): number {
  return (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 0;
}
