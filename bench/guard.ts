import { readBaselines, thisMachine, writeBaselines } from "./guard/baselines.ts";
import { whyNotCounted } from "./guard/instructions.ts";
import { judge } from "./guard/judge.ts";
import { QUESTIONS, measure } from "./guard/questions.ts";
import type { Question } from "./guard/questions.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { rounded } from "./harness/result.ts";

/** `BENCH_RECORD=1 npm run bench -- guard` records what it measures, time as well: on a quiet machine. */
const isRecording = process.env["BENCH_RECORD"] === "1";

async function run(): Promise<BenchResult> {
  const recorded = readBaselines();
  const here = thisMachine();
  const why = whyNotCounted();
  const ratios: Record<string, number> = {};
  const rows: Record<string, string | number>[] = [];
  let compared = 0;
  if (why !== undefined)
    console.error(`no instructions are counted, time is taken instead, which says less: ${why}`);
  if (recorded.node !== here.node && !isRecording)
    console.error(`recorded with node ${recorded.node || "–"}, this is ${here.node}`);
  for (const question of QUESTIONS) {
    const isCounted = question.measure === "instructions";
    if (isCounted ? why !== undefined : why === undefined && !isRecording) continue;
    const measured = await measure(question);
    const baseline =
      isCounted || recorded.processor === here.processor ? recorded.ratios[question.name] : undefined;
    const judged = judge(measured, baseline ?? Number.NaN, question.limitPart);
    if (baseline !== undefined && judged.verdict !== "unstable") compared += 1;
    rows.push(row(question, measured.ratios.length, baseline, judged));
    if (judged.verdict !== "unstable") ratios[question.name] = rounded(judged.ratio, 4);
    if (judged.verdict === "worse" && !isRecording) {
      process.exitCode = 1;
      console.error(`${question.name}: ${question.asks}: dearer by ${percent(judged.grownPart)}`);
    }
  }
  if (isRecording) writeBaselines({ ...here, ratios });
  return { rows, figures: ratios, conclusion: conclusionOf(compared, rows.length, why) };
}

/** @param why no instructions were counted */
function conclusionOf(compared: number, asked: number, why: string | undefined): string {
  if (isRecording) return `${asked} questions were recorded`;
  if (compared > 0) return `${compared} of ${asked} questions were compared with what was recorded`;
  const reason =
    why === undefined
      ? "nothing was recorded, or the machine's noise is too large"
      : `instructions are not counted here (${why}), and of this machine no times were recorded, or its noise is too large`;
  return `nothing was compared: ${reason}`;
}

function row(
  { name, limitPart }: Question,
  rounds: number,
  baseline: number | undefined,
  { ratio, verdict, grownPart, spreadPart, noisePart }: ReturnType<typeof judge>,
): Record<string, string | number> {
  return {
    question: name,
    verdict: baseline === undefined && verdict !== "unstable" ? "nothing recorded for this machine" : verdict,
    ratio: rounded(ratio, 4),
    recorded: baseline ?? "–",
    grown: percent(grownPart),
    limit: percent(limitPart),
    spread: `±${percent(spreadPart)}`,
    noise: `±${percent(noisePart)}`,
    rounds,
  };
}

function percent(part: number): string {
  return Number.isNaN(part) ? "–" : `${(part * 100).toFixed(1)} %`;
}

export const bench: Bench = {
  question:
    "Does Tailrace cost its users more than when bench/guard/baselines.json was recorded? Ratios against plain SQLite, in rounds that take turns.",
  run,
};
