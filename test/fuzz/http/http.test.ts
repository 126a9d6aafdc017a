import { expect, test } from "vitest";
import { supervise } from "../engine/supervise.ts";
import { httpTargets } from "./targets.ts";

/** The same inputs each time; those of other seeds are for `npm run fuzz`. */
const SEED = 4;
const LIMIT_MS = 120_000;

test(
  "whatever comes over HTTP, a node answers as documented, a replica keeps its state, and a command prints nothing raw",
  { timeout: LIMIT_MS },
  async () => {
    const { findings, counts } = await supervise(httpTargets, { seed: SEED, isShort: true });
    expect(findings).toEqual([]);
    expect(counts.map(({ target }) => target)).toEqual(httpTargets.map(({ name }) => name));
    for (const { target, accepted, refused } of counts)
      expect(accepted + refused, target).toBeGreaterThanOrEqual(
        httpTargets.find(({ name }) => name === target)!.shortRun,
      );
  },
);
