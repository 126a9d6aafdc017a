import { runInChild } from "./child.ts";
import type { RunOptions, RunResult } from "./run.ts";
import { countsText, shortFailureText } from "./text.ts";

/** Many runs: the seed given, and those that follow it. @returns whether all promises were kept */
export async function explore(
  options: RunOptions,
  {
    count,
    jobs,
    isFirstEnough,
  }: { readonly count: number; readonly jobs: number; readonly isFirstEnough: boolean },
): Promise<boolean> {
  const seeds = Array.from({ length: count }, (_, index) => nextSeed(options.seed, index));
  // Whoever has no more time is told what there was.
  process.once("SIGTERM", () => (seeds.length = 0));
  const totals = new Map<string, number>();
  const failed: RunResult[] = [];
  let runs = 0;
  let steps = 0;
  let realMs = 0;
  const worker = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const result = await runInChild({ ...options, seed });
      runs += 1;
      steps += result.steps;
      realMs += result.realMs;
      for (const [what, number] of Object.entries(result.counts))
        totals.set(what, (totals.get(what) ?? 0) + number);
      if (result.failure === null) continue;
      failed.push(result);
      process.stdout.write(shortFailureText({ ...options, seed }, result));
      if (isFirstEnough) seeds.length = 0;
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  const perSecond = Math.round(steps / (realMs / 1000));
  process.stdout.write(
    `${runs} runs from seed ${options.seed}: ${failed.length} failed; ${steps} steps, ${perSecond} a second\n` +
      `${countsText(Object.fromEntries([...totals].toSorted(([a], [b]) => (a < b ? -1 : 1))))}\n`,
  );
  return failed.length === 0;
}

function nextSeed(first: string, index: number): string {
  return /^\d+$/.test(first) ? String(Number(first) + index) : index === 0 ? first : `${first}-${index}`;
}
