import { attempt } from "./attempt.ts";
import type { OpenTarget, Step } from "./target.ts";

const MAX_TRIES = 100;
const MAX_MS = 5_000;

/** Fewer steps that still go wrong, and what goes wrong with them. */
export async function shrink(
  target: OpenTarget,
  steps: readonly Step[],
  problem: string,
): Promise<{ readonly steps: readonly Step[]; readonly problem: string }> {
  let best = { steps, problem };
  const end = performance.now() + MAX_MS;
  let tries = 0;
  for (let length = steps.length >> 1; length >= 1; length >>= 1) {
    for (let from = 0; from < best.steps.length;) {
      if (++tries > MAX_TRIES || performance.now() > end) return best;
      const fewer = best.steps.toSpliced(from, length);
      const tried = await attempt(target, fewer);
      if (tried.problem === undefined) from += length;
      else best = { steps: fewer, problem: tried.problem };
    }
  }
  return best;
}
