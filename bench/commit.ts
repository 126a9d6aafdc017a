import { median, rounded } from "./harness/result.ts";
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
  let baseline = await measure("full", 1);
  const baselines = [baseline];
  for (const mode of ["commit", "group", "os"]) {
    for (const writers of WRITERS) {
      const rate = await measure(mode, writers);
      // The disk's pace changes from minute to minute: each figure is held against the baselines right before and after.
      const after = await measure("full", 1);
      const around = Math.sqrt(baseline * after);
      baselines.push((baseline = after));
      rows.push({
        mode,
        writers,
        commitsPerSecond: Math.round(rate),
        sqliteFullAround: Math.round(around),
        ratio: rounded(rate / around),
      });
      figures[`${mode}${writers}WritersPerSecond`] = Math.round(rate);
      figures[`${mode}${writers}WritersRatio`] = rounded(rate / around);
    }
  }
  return { rows, figures: { baselineCommitsPerSecond: Math.round(median(baselines)), ...figures } };
}

export const bench: Bench = {
  question:
    "How many commits a second are acknowledged as durable, by mode and number of writers, against SQLite FULL?",
  run,
};
