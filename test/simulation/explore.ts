import { runInChild } from "./child.ts";
import type { RunOptions, RunResult } from "./run.ts";
import { countsText, shortFailureText } from "./text.ts";

/** Many runs: the seed given, and those that follow it. */
export class Exploration {
  private readonly options: RunOptions;
  private readonly totals = new Map<string, number>();
  private begun = 0;
  private runs = 0;
  private failures = 0;
  private steps = 0;
  private realMs = 0;

  constructor(options: RunOptions) {
    this.options = options;
  }

  /** @returns whether all promises were kept */
  async run({
    count,
    jobs,
    isFirstEnough,
  }: {
    readonly count: number;
    readonly jobs: number;
    readonly isFirstEnough: boolean;
  }): Promise<boolean> {
    const worker = async (): Promise<void> => {
      const mostFailures = isFirstEnough ? 1 : count;
      while (this.begun < count && this.failures < mostFailures) {
        const options = { ...this.options, seed: nextSeed(this.options.seed, this.begun++) };
        this.add(options, await runInChild(options));
      }
    };
    await Promise.all(Array.from({ length: Math.min(jobs, count) }, worker));
    process.stdout.write(this.text);
    return this.failures === 0;
  }

  /** What there was so far. */
  get text(): string {
    const perSecond = Math.round(this.steps / (this.realMs / 1000)) || 0;
    const counts = [...this.totals].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return (
      `${this.runs} runs from seed ${this.options.seed}: ${this.failures} failed; ${this.steps} steps, ${perSecond} a second\n` +
      `${countsText(Object.fromEntries(counts))}\n`
    );
  }

  private add(options: RunOptions, result: RunResult): void {
    this.runs += 1;
    this.steps += result.steps;
    this.realMs += result.realMs;
    for (const [what, number] of Object.entries(result.counts))
      this.totals.set(what, (this.totals.get(what) ?? 0) + number);
    if (result.failure === null) return;
    this.failures += 1;
    process.stdout.write(shortFailureText(options, result));
  }
}

function nextSeed(first: string, index: number): string {
  return /^\d+$/.test(first) ? String(Number(first) + index) : index === 0 ? first : `${first}-${index}`;
}
