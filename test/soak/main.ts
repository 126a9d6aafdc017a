/** `npm run soak -- --help` */
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatTable } from "../../bench/harness/result.ts";
import { missingOutsiders } from "../harness/outsiders.ts";
import { endsEarly } from "../harness/tool/early-end.ts";
import { readOrExit } from "../harness/tool/tool.ts";
import { graphOf } from "./graph.ts";
import { amountOf } from "./amount.ts";
import { MEASURES } from "./measures.ts";
import { Journal } from "./journal.ts";
import type { Finding } from "./journal.ts";
import { SOAK } from "./options.ts";
import { builtScene, sourceScene } from "./scene.ts";
import { SOAK_SCRIPT as script } from "./script.ts";
import { soak } from "./soak.ts";

const { minutes, out, source, ...given } = readOrExit(SOAK);
if (missingOutsiders(["python3"]).length > 0) {
  console.error("nothing is done: the soak's writer and reader need python3, not installed here");
  process.exit(2);
}
const seed = given.seed ?? Date.now() % 1_000_000;
const name = `${minutes} minutes, seed ${seed}, ${source ? "source" : "compiled"}, Node ${process.version}`;
const { warmUpSeconds } = script;
const journal = new Journal();
endsEarly("soak", tmpdir(), (signal) => void conclude(`${name}, ended early by ${signal}`));
mkdirSync(out, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "tailrace-soak-"));
try {
  process.exitCode = await run();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function isEnough(second: number): boolean {
  return second >= minutes * 60;
}

async function run(): Promise<number> {
  const scene = source ? sourceScene() : builtScene(join(folder, "built"));
  console.error(name);
  const lines = createWriteStream(join(out, "samples.jsonl"));
  lines.write(`${JSON.stringify({ run: name, script })}\n`);
  const onLine = (line: object): void => void lines.write(`${JSON.stringify(line)}\n`);
  const failure = await soak({ folder, scene, script, isEnough, seed, journal, onLine }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const findings = conclude(name);
  for (const finding of findings) onLine(finding);
  lines.end();
  if (failure !== undefined) console.error("The soak broke:", failure);
  const isWell = findings.every(({ verdict }) => verdict === "flat" || verdict === "unclear");
  return failure === undefined && isWell ? 0 : 1;
}

/** Writes and prints what there is, and is found of it. */
function conclude(heading: string): readonly Finding[] {
  const findings = journal.judge(warmUpSeconds);
  const table = findings.length === 0 ? "nothing was measured yet" : formatTable(findings.map(rowOf));
  const text = `${heading}\n\n${table}\n`;
  writeFileSync(join(out, "verdict.txt"), text);
  writeFileSync(join(out, "graph.svg"), graphOf(journal, { title: heading, findings, warmUpSeconds }));
  process.stdout.write(text);
  return findings;
}

function rowOf({ process, measure, limits, ...found }: Finding): { readonly [column: string]: string } {
  const { title, unit } = MEASURES[measure];
  const amount = (value: number): string => amountOf(value, unit);
  return {
    process,
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
