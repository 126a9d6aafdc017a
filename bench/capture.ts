import { median, rounded } from "./harness/result.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { Workspace, settleDisk } from "./harness/workspace.ts";

const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 3);
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 5);

/** What the writer does: as much as it can, or what a busy application does. */
const LOADS = [
  { synchronous: "NORMAL", rate: undefined },
  { synchronous: "FULL", rate: undefined },
  { synchronous: "NORMAL", rate: 1_000 },
  { synchronous: "FULL", rate: 1_000 },
] as const;

async function commitRate(space: Workspace, file: string, load: (typeof LOADS)[number]): Promise<number> {
  const { synchronous, rate } = load;
  const pace = rate === undefined ? [] : [rate];
  const writer = space.program("fast-writer", [file, SECONDS, synchronous, ...pace]);
  const { code } = await writer.exited;
  if (code !== 0) throw new Error(writer.text);
  return (JSON.parse(writer.text) as { commitsPerSecond: number }).commitsPerSecond;
}

/** Rounds with and without a primary take turns, on two databases of the same kind, so that the machine's moods cancel. */
async function run(): Promise<BenchResult> {
  const rows: Record<string, string | number>[] = [];
  const figures: Record<string, number> = {};
  for (const load of LOADS) {
    await using space = new Workspace();
    const [alone, followed] = [space.path("alone.db"), space.path("followed.db")];
    const rates: { alone: number[]; followed: number[] } = { alone: [], followed: [] };
    for (let round = 0; round < ROUNDS; round++) {
      settleDisk();
      rates.alone.push(await commitRate(space, alone, load));
      const primary = await space.serve(["primary", followed, "--durability", "os"]);
      settleDisk();
      rates.followed.push(await commitRate(space, followed, load));
      await primary.stop();
    }
    const ratio = median(rates.followed.map((rate, round) => rate / rates.alone[round]!));
    const pace = load.rate === undefined ? "full speed" : `${load.rate} commits/s`;
    const name = `synchronous=${load.synchronous}, ${pace}`;
    const key = load.synchronous.toLowerCase() + (load.rate ?? "");
    rows.push(
      {
        writer: `${name}, alone (baseline)`,
        commitsPerBusySecond: Math.round(median(rates.alone)),
        ratio: 1,
      },
      {
        writer: `${name}, primary attached`,
        commitsPerBusySecond: Math.round(median(rates.followed)),
        ratio: rounded(ratio),
      },
    );
    figures[`${key}Ratio`] = rounded(ratio, 4);
    figures[`${key}SlowdownPercent`] = rounded((1 - ratio) * 100);
  }
  return { rows, figures };
}

export const bench: Bench = {
  question:
    "How much slower does an application commit, at full speed and at 1,000 a second, while a primary follows its database?",
  run,
};
