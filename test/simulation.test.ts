import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;
const FIXED = { seed: "1", steps: 100 };

/** The whole product, in one process and one thread, from one seed: see test/simulation/README.md. */
describe("a simulated cluster", () => {
  it(
    "does the same again for the same seed, whatever befalls it, and keeps all promises",
    { timeout: TIMEOUT_MS },
    async () => {
      const [first, again] = await Promise.all([simulate(FIXED), simulate(FIXED)]);
      expect(first.failure).toBe(null);
      expect(again.digest).toBe(first.digest);
      expect(again.counts).toEqual(first.counts);
    },
  );

  it("keeps all promises for a seed of which nobody has heard", { timeout: TIMEOUT_MS }, async () => {
    const seed = String(Date.now() % 1_000_000_007);
    const { failure } = await simulate({ seed, steps: 300 });
    expect(failure, `npm run sim -- --seed ${seed} --steps 300`).toBe(null);
  });

  it.for(regressions())(
    "keeps them where it once did not: seed $seed",
    { timeout: TIMEOUT_MS },
    async (of) => {
      const { failure } = await simulate(of);
      expect(failure, of.what).toBe(null);
    },
  );
});

interface Outcome {
  readonly digest: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly failure: { readonly text: string } | null;
}

async function simulate({ seed, steps }: { seed: string; steps: number }): Promise<Outcome> {
  const flags = ["--json", "--seed", seed, "--steps", String(steps)];
  const program = ["--import", "./test/simulation/register.ts", "test/simulation/main.ts", ...flags];
  const { stdout } = await run(process.execPath, program, { timeout: TIMEOUT_MS }).catch(
    (error: unknown) => error as { readonly stdout: string },
  );
  return JSON.parse(stdout) as Outcome;
}

function regressions(): { seed: string; steps: number; what: string }[] {
  const lines = readFileSync(new URL("simulation/regressions.txt", import.meta.url), "utf8").split("\n");
  return lines
    .filter((line) => /^\d/.test(line))
    .map((line) => {
      const [, seed = "", steps = "", what = ""] = /^(\d+) (\d+) +(.+)$/.exec(line) ?? [];
      return { seed, steps: Number(steps), what };
    });
}
