/**
 * `node runner.ts JSON`: tries inputs, one after another, and tells on standard output what they came to. What it is at
 * stands in a file, so that whoever watches knows with which input it hangs or dies.
 */
import { mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Chance } from "../../harness/seed.ts";
import { TARGETS } from "../targets.ts";
import { attempt } from "./attempt.ts";
import { keptInputs } from "./corpus.ts";
import { inputChance, MARK_BYTES } from "./run.ts";
import type { Run, Told } from "./run.ts";
import { shrink } from "./shrink.ts";
import type { OpenTarget, Step } from "./target.ts";

/** Of one target, in one run: more of the same say nothing new. */
const MAX_FINDINGS = 20;

const run = JSON.parse(process.argv[2]!) as Run;
const mark = openSync(run.markFile, "r+");
const markBytes = Buffer.alloc(MARK_BYTES);

for (const target of TARGETS.filter(({ name }) => run.targets.includes(name))) {
  const folder = mkdtempSync(join(run.folder, "target-"));
  mkdirSync(folder, { recursive: true });
  note(target.name, -1);
  // What one has left behind is not to be counted against the next.
  globalThis.gc?.();
  const opened = await target.open(folder);
  await tryAll(target.name, opened, run.inputs ?? (run.isShort ? target.shortRun : Infinity));
  await opened.close?.();
  rmSync(folder, { recursive: true, force: true });
}
note("", -1);

async function tryAll(name: string, target: OpenTarget, count: number): Promise<void> {
  const counts = { accepted: 0, refused: 0, wrong: 0 };
  const problems = new Set<string>();
  const startMs = performance.now();
  const endMs = startMs + (run.minutes ?? Infinity) * 60_000;
  const judge = async (steps: readonly Step[], from: string): Promise<void> => {
    const { outcome, problem } = await attempt(target, steps);
    counts[outcome] += 1;
    if (problem === undefined || problems.size >= MAX_FINDINGS || problems.has(kindOf(problem))) return;
    problems.add(kindOf(problem));
    const shrunk = await shrink(target, steps, problem);
    problems.add(kindOf(shrunk.problem));
    tell({
      kind: "finding",
      target: name,
      from,
      problem: shrunk.problem,
      steps: target.frozen?.(shrunk.steps) ?? shrunk.steps,
    });
  };
  const first = run.first ?? 0;
  if (first === 0) {
    for (const [index, { file, steps }] of keptInputs(name).entries()) {
      note(name, -2 - index);
      await judge(steps, file);
    }
  }
  for (let index = first; index < count && performance.now() < endMs; index++) {
    note(name, index);
    await judge(target.propose(new Chance(inputChance(run.seed, index))), `input ${index}`);
  }
  const ms = performance.now() - startMs;
  tell({ kind: "counts", target: name, ...counts, ms });
}

/** The same mistake, wherever it was made. */
function kindOf(problem: string): string {
  return problem.replaceAll(/[0-9a-f]{8,}|\d+|"[^"]*"/g, "#");
}

function note(name: string, index: number): void {
  markBytes.fill(0);
  markBytes.writeDoubleLE(index, 0);
  markBytes.write(name, 8);
  writeSync(mark, markBytes, 0, MARK_BYTES, 0);
}

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
