import { runInChild } from "./child.ts";
import type { RunOptions, RunResult } from "./run.ts";
import { commandText, failureText } from "./text.ts";

/** Each try is a run. From then on the smallest so far is what it came to. */
const LIMIT_MS = 120_000;

/**
 * Makes a run that fails smaller, for as long as it fails in the same way: no decision after the last that matters, fewer
 * replicas, then fewer decisions (halves, quarters, … single ones), for two minutes at most. Prints the smallest.
 *
 * @returns false: it fails
 */
export async function shrink(options: RunOptions): Promise<boolean> {
  const first = await runInChild(options);
  if (first.failure === null) {
    process.stdout.write("this run does not fail: there is nothing to shrink\n");
    return true;
  }
  const shrinking = new Shrinking(options, first);
  await shrinking.length();
  await shrinking.replicas();
  await shrinking.decisions();
  const { best } = shrinking;
  process.stdout.write(
    `${shrinking.tries} tries${shrinking.isOver ? ", then the time was over" : ""}: ` +
      `${first.decisions.length} decisions became ${best.result.decisions.length}\n` +
      `${failureText(best.options, best.result)}\n` +
      `what is done in it: ${best.result.decisions.map(({ index, kind }) => `${index} ${kind}`).join(", ")}\n` +
      `${commandText(best.options)}\n`,
  );
  return false;
}

class Shrinking {
  best: { readonly options: RunOptions; readonly result: RunResult };
  tries = 0;
  private readonly kind: string;
  private readonly endMs = nowMs() + LIMIT_MS;

  constructor(options: RunOptions, result: RunResult) {
    this.kind = kindOf(result)!;
    this.best = { options: upTo(result, options), result };
  }

  get isOver(): boolean {
    return nowMs() >= this.endMs;
  }

  /** All that comes after the last one that matters. */
  async length(): Promise<void> {
    for (let isSmaller = true; isSmaller;) {
      isSmaller = false;
      const most = this.most;
      for (const part of [0.25, 0.5, 0.75, 0.9]) {
        const decisions = Math.floor(most * part);
        isSmaller = decisions < most && (await this.attempt({ decisions }));
        if (isSmaller) break;
      }
    }
  }

  private get most(): number {
    return (this.best.result.decisions.at(-1)?.index ?? -1) + 1;
  }

  async replicas(): Promise<void> {
    for (const replicas of [1, 2]) if (await this.attempt({ replicas })) return;
  }

  /** Delta debugging over what was decided: parts are left out, ever smaller ones. */
  async decisions(): Promise<void> {
    let size = Math.ceil(this.best.result.decisions.length / 2);
    while (size >= 1 && !this.isOver) {
      const isSmaller = await this.withoutParts(size);
      if (size === 1 && !isSmaller) return;
      if (!isSmaller) size = Math.floor(size / 2);
      else size = Math.max(1, Math.min(size, Math.ceil(this.best.result.decisions.length / 2)));
    }
  }

  private async withoutParts(size: number): Promise<boolean> {
    let isSmaller = false;
    let from = Math.max(0, this.best.result.decisions.length - size);
    for (; from >= 0 && !this.isOver; from -= size) {
      const part = this.best.result.decisions.slice(from, from + size).map(({ index }) => index);
      if (part.length === 0) continue;
      const { omitted } = this.best.options;
      if (await this.attempt({ omitted: [...omitted, ...part] })) isSmaller = true;
      if (from > 0 && from < size) from = size;
    }
    return isSmaller;
  }

  private async attempt(change: Partial<RunOptions>): Promise<boolean> {
    if (this.isOver) return false;
    this.tries += 1;
    const options = { ...this.best.options, ...change };
    const result = await runInChild(options, this.endMs - nowMs());
    if (kindOf(result) !== this.kind || !isSmallerThan(result, this.best.result)) return false;
    this.best = { options: upTo(result, options), result };
    process.stderr.write(
      `try ${this.tries}: ${result.decisions.length} decisions, ${result.steps} steps; ${commandText(this.best.options)}\n`,
    );
    return true;
  }
}

/** Fewer decisions; where it is as many, fewer steps. */
export function isSmallerThan(one: Size, other: Size): boolean {
  return one.decisions.length === other.decisions.length
    ? one.steps < other.steps
    : one.decisions.length < other.decisions.length;
}

type Size = Pick<RunResult, "steps"> & { readonly decisions: readonly unknown[] };

/** Of the real clock. */
function nowMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** No more steps than it takes to fail. */
function upTo({ failure }: RunResult, options: RunOptions): RunOptions {
  return { ...options, steps: Math.min(options.steps, failure!.step + 1) };
}

/** Which promise was broken, and how, whatever numbers are in it. */
function kindOf({ failure }: RunResult): string | undefined {
  return failure?.text.split("\n")[0]!.replaceAll(/[0-9a-f]*\d[0-9a-f]*/g, "#");
}
