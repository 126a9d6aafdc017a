/**
 * `npm run soak -- --minutes N [--seed S] [--out FOLDER] [--source]`: load on real processes, measured every second. Writes
 * samples.jsonl, graph.svg and verdict.txt to the folder (bench/results/soak unless named), and ends with exit code 1 where
 * something grows, is too high, or breaks. Nodes run compiled, as users run them; with --source, this checkout's source.
 */
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { formatTable } from "../../bench/harness/result.ts";
import { graphOf } from "./graph.ts";
import { amountOf } from "./amount.ts";
import { MEASURES } from "./measures.ts";
import { Journal } from "./journal.ts";
import type { Finding } from "./journal.ts";
import { builtScene, sourceScene } from "./scene.ts";
import { SOAK_SCRIPT } from "./script.ts";
import { soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    out: { type: "string", default: fileURLToPath(new URL("../../bench/results/soak", import.meta.url)) },
    source: { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error("usage: npm run soak -- --minutes N [--seed S] [--out FOLDER] [--source]");
  process.exit(2);
}

mkdirSync(values.out, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "tailrace-soak-"));
try {
  process.exitCode = await run();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function run(): Promise<number> {
  const script = SOAK_SCRIPT;
  const seed = Number(values.seed);
  const scene = values.source ? sourceScene() : builtScene(join(folder, "built"));
  const title = `${minutes} minutes, seed ${seed}, ${values.source ? "source" : "compiled"}, Node ${process.version}`;
  console.error(title);
  const lines = createWriteStream(join(values.out, "samples.jsonl"));
  lines.write(`${JSON.stringify({ run: title, script })}\n`);
  const onLine = (line: object): void => void lines.write(`${JSON.stringify(line)}\n`);
  const journal = new Journal();
  const isEnough = (second: number): boolean => second >= minutes * 60;
  const failure = await soak({ folder, scene, script, isEnough, seed, journal, onLine }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const findings = journal.judge(script.warmUpSeconds);
  for (const finding of findings) onLine(finding);
  lines.end();
  const table = formatTable(findings.map(rowOf));
  writeFileSync(join(values.out, "verdict.txt"), `${title}\n\n${table}\n`);
  writeFileSync(
    join(values.out, "graph.svg"),
    graphOf(journal, { title, findings, warmUpSeconds: script.warmUpSeconds }),
  );
  console.log(table);
  if (failure !== undefined) console.error("The soak broke:", failure);
  const isWell = findings.every(({ verdict }) => verdict === "flat" || verdict === "unclear");
  return failure === undefined && isWell ? 0 : 1;
}

function rowOf({ process: name, measure, limits, ...found }: Finding): { readonly [column: string]: string } {
  const { title, unit } = MEASURES[measure];
  const amount = (value: number): string => amountOf(value, unit);
  return {
    process: name,
    measure: title,
    verdict: found.verdict,
    "growth an hour": amount(found.perHour),
    between: `${amount(found.lowPerHour)} and ${amount(found.highPerHour)}`,
    "later half": amount(found.laterPerHour),
    "may grow": amount(limits.perHour),
    "95 % are below": amount(found.level),
    "may be": amount(limits.level),
  };
}
