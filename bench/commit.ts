import { rounded } from "./harness/result.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { Workspace, settleDisk } from "./harness/workspace.ts";

const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 3);
const WRITERS = [1, 8, 64];

async function run(): Promise<BenchResult> {
  await using space = new Workspace();
  const rows: Record<string, string | number>[] = [];
  const figures: Record<string, number> = {};
  let runs = 0;
  const measure = async (mode: string, writers: number): Promise<number> => {
    settleDisk();
    const program = space.program("durable-writers", [space.path(`app${++runs}.db`), mode, writers, SECONDS]);
    const { code } = await program.exited;
    if (code !== 0) throw new Error(program.text);
    return (JSON.parse(program.text) as { commitsPerSecond: number }).commitsPerSecond;
  };
  const baseline = await measure("full", 1);
  rows.push({
    mode: "SQLite synchronous=FULL (baseline)",
    writers: 1,
    commitsPerSecond: Math.round(baseline),
    ratio: 1,
  });
  for (const mode of ["commit", "group", "os"]) {
    for (const writers of WRITERS) {
      const rate = await measure(mode, writers);
      rows.push({ mode, writers, commitsPerSecond: Math.round(rate), ratio: rounded(rate / baseline) });
      figures[`${mode}${writers}WritersRatio`] = rounded(rate / baseline);
    }
  }
  // Again at the end: a disk that changed its pace in between shows.
  const again = await measure("full", 1);
  rows.push({
    mode: "SQLite synchronous=FULL (again)",
    writers: 1,
    commitsPerSecond: Math.round(again),
    ratio: rounded(again / baseline),
  });
  return { rows, figures: { baselineCommitsPerSecond: Math.round(baseline), ...figures } };
}

export const bench: Bench = {
  question:
    "How many commits a second are acknowledged as durable, by mode and number of writers, against SQLite FULL?",
  run,
};
