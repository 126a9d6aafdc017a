import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { canCountInstructions } from "./guard/instructions.ts";
import { judge } from "./guard/judge.ts";
import { QUESTIONS, measure } from "./guard/questions.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { rounded } from "./harness/result.ts";

const BASELINES = new URL("guard/baselines.json", import.meta.url);
/** `npm run bench -- guard` with this set to 1 records what it measures. */
const isRecording = process.env["BENCH_RECORD"] === "1";

function readBaselines(): Record<string, number> {
  return existsSync(BASELINES) ? (JSON.parse(readFileSync(BASELINES, "utf8")) as Record<string, number>) : {};
}

async function run(): Promise<BenchResult> {
  const baselines = readBaselines();
  const isCounting = canCountInstructions();
  const rows: Record<string, string | number>[] = [];
  const figures: Record<string, number> = {};
  for (const question of QUESTIONS) {
    const { name, limitPart } = question;
    if (question.measure === "instructions" && !isCounting) {
      rows.push({ question: name, verdict: "not asked: `perf stat` counts no instructions on this machine" });
      continue;
    }
    const measured = await measure(question);
    const recorded = baselines[name] ?? Number.NaN;
    const { ratio, spreadPart, noisePart, grownPart, verdict } = judge(measured, recorded, limitPart);
    rows.push({
      question: name,
      verdict: Number.isNaN(recorded) && verdict !== "unstable" ? "nothing recorded yet" : verdict,
      ratio: rounded(ratio, 4),
      recorded,
      grown: percent(grownPart),
      limit: percent(limitPart),
      spread: `±${percent(spreadPart)}`,
      noise: `±${percent(noisePart)}`,
      rounds: measured.ratios.length,
    });
    figures[`${name}Ratio`] = rounded(ratio, 4);
    if (isRecording && verdict !== "unstable") baselines[name] = rounded(ratio, 4);
    if (verdict === "worse" && !isRecording) process.exitCode = 1;
  }
  if (isRecording) writeFileSync(BASELINES, `${JSON.stringify(baselines, null, 2)}\n`);
  return { rows, figures };
}

function percent(part: number): string {
  return Number.isNaN(part) ? "–" : `${(part * 100).toFixed(1)} %`;
}

export const bench: Bench = {
  question:
    "Does Tailrace cost its users more than when bench/guard/baselines.json was recorded? Ratios against plain SQLite, in rounds that take turns.",
  run,
};
