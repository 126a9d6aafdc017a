import type { Chance } from "../../harness/seed.ts";

/** One step in the making of an input. Plain JSON, so that inputs can be kept, and taken apart step by step. */
export interface Step {
  readonly op: string;
  readonly [detail: string]: unknown;
}

/** An input was taken for valid, and found to be what an independent model says; or it was refused, by a known code. */
export type Outcome = "accepted" | "refused";

/** What has to hold did not. */
export class WrongError extends Error {
  override readonly name = "WrongError";
}

/** Something that reads what others may have written. */
export interface Target {
  readonly name: string;
  /** So much of a processor may one input take, and by the clock sixty times that. */
  readonly maxMs: number;
  /** So many inputs are tried in `npm test`. */
  readonly shortRun: number;
  /** @param folder an empty one of its own, on a file system in memory where there is one; removed afterwards */
  open(folder: string): OpenTarget | Promise<OpenTarget>;
}

export interface OpenTarget {
  propose(chance: Chance): readonly Step[];
  /**
   * @throws WrongError; a TailraceError of a known code is a refusal as well. Anything else that is thrown is a finding.
   */
  run(steps: readonly Step[]): Outcome | Promise<Outcome>;
  /** The same input in a form that needs none of this run's seeds: what goes into the corpus. */
  frozen?(steps: readonly Step[]): readonly Step[];
  close?(): void | Promise<void>;
}

/** @throws WrongError unless it holds */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new WrongError(what);
}
