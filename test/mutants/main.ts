/**
 * `npm run mutants [-- --only NAME…] [--by simulation|tests] [--seeds N] [--steps N]`: plants each fault of faults.ts in a
 * copy of this checkout, and finds out whether the simulation notices, and whether the tests do. The table of all of them goes
 * to caught.md beside this file.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { FAULTS } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { PlantedTree } from "./planted-tree.ts";
import { formatCaught } from "./caught.ts";
import type { Verdict } from "./caught.ts";

/** A fault that makes a program hang is caught by that. */
const SIMULATION_LIMIT_MS = 120_000;
const TESTS_LIMIT_MS = 240_000;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    seeds: { type: "string", default: "40" },
    steps: { type: "string", default: "3000" },
    by: { type: "string", default: "simulation,tests" },
  },
  allowPositionals: true,
});

const unknown = values.only.filter((name) => FAULTS.every((fault) => fault.name !== name));
if (unknown.length > 0) {
  console.error(`no fault ${unknown.join(", ")}; there are: ${FAULTS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

interface Finding {
  readonly isCaught: boolean;
  readonly how: string;
}

const UNASKED: Finding = { isCaught: false, how: "" };

const chosen = FAULTS.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
using tree = new PlantedTree();
const ALL_TESTS = [...new Set(chosen.flatMap(({ tests }) => tests))];
console.error(`sound: the simulation and ${ALL_TESTS.length} test files have to pass without a fault`);
for (const finding of [await simulate(), await runTests(ALL_TESTS)]) {
  if (!finding.isCaught) continue;
  console.error(`they do not: ${finding.how}`);
  process.exit(1);
}

const verdicts: Verdict[] = [];
for (const [index, fault] of chosen.entries()) {
  const verdict = await judge(fault);
  verdicts.push(verdict);
  const { bySimulation = "not", byTests = "not" } = verdict;
  console.error(`${index + 1}/${chosen.length} ${fault.name}: simulation ${bySimulation}; tests ${byTests}`);
}
const table = formatCaught(verdicts);
console.log(table);
if (values.only.length === 0 && values.by === "simulation,tests")
  writeFileSync(new URL("caught.md", import.meta.url), table);
process.exitCode = verdicts.every(({ bySimulation, byTests }) => bySimulation ?? byTests) ? 0 : 1;

async function judge(fault: Fault): Promise<Verdict> {
  using _planted = tree.plant(fault);
  const simulated = await simulate();
  const tested = await runTests(fault.tests);
  return {
    name: fault.name,
    mistake: fault.mistake,
    bySimulation: simulated.isCaught ? simulated.how : undefined,
    byTests: tested.isCaught ? tested.how : undefined,
  };
}

async function simulate(): Promise<Finding> {
  if (!values.by.includes("simulation")) return UNASKED;
  const { status, output } = await run(
    ["npm", "run", "--silent", "sim", "--", "--seeds", values.seeds, "--steps", values.steps],
    SIMULATION_LIMIT_MS,
  );
  if (status === 0) return { isCaught: false, how: "" };
  const seed = /seed[= ]+"?([\w-]+)/i.exec(output)?.[1] ?? "?";
  const invariant =
    /invariant[: ]+([^\n]{1,60})/i.exec(output)?.[1]?.trim() ?? (status === null ? "it hangs" : "it ends");
  return { isCaught: true, how: `seed ${seed}: ${invariant}` };
}

async function runTests(files: readonly string[]): Promise<Finding> {
  if (!values.by.includes("tests")) return UNASKED;
  const { status, output } = await run(["npx", "vitest", "run", "--reporter=json", ...files], TESTS_LIMIT_MS);
  if (status === 0) return { isCaught: false, how: "" };
  const [first, ...others] = failedTests(output);
  if (first === undefined)
    return { isCaught: true, how: status === null ? "they hang" : "they do not even run" };
  return { isCaught: true, how: `“${first}”${others.length === 0 ? "" : ` and ${others.length} more`}` };
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly title: string }[];
  }[];
}

function failedTests(output: string): string[] {
  const report = /^\{"numTotalTestSuites".*$/m.exec(output)?.[0];
  if (report === undefined) return [];
  return (JSON.parse(report) as Report).testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === "failed")
    .map(({ title }) => title);
}

/** In a process group of its own: where it takes too long, all that it has started ends with it. */
async function run(
  [command, ...args]: readonly [string, ...string[]],
  limitMs: number,
): Promise<{ readonly status: number | null; readonly output: string }> {
  const child = spawn(command, args, { cwd: tree.folder, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const end = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), limitMs);
  const closed = once(child, "close") as Promise<[number | null]>;
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  clearTimeout(end);
  return { status, output: `${stdout}\n${stderr}` };
}
