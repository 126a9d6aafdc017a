/** `npm run sim -- --help` */
import { rmSync } from "node:fs";
import { endsEarly } from "../harness/tool/early-end.ts";
import { readOrExit } from "../harness/tool/tool.ts";
import { Exploration } from "./explore.ts";
import { SIMULATION } from "./options.ts";
import { FOLDERS, run } from "./run.ts";
import type { RunOptions } from "./run.ts";
import { shrink } from "./shrink.ts";
import { failureText, summaryText } from "./text.ts";

const values = readOrExit(SIMULATION);
process.exitCode = (await main()) ? 0 : 1;

/** @returns whether all promises were kept */
async function main(): Promise<boolean> {
  const { seeds: count, jobs, first: isFirstEnough } = values;
  const options: RunOptions = {
    seed: values.seed ?? freshSeed(),
    steps: values.steps,
    withoutFaults: values["no-faults"],
    omitted: values.omit,
    replicas: values.replicas,
    decisions: values.decisions,
    trace: values.trace ? (line) => void process.stderr.write(`${line}\n`) : () => {},
  };
  const exploration = new Exploration(options);
  const folder = endsEarly("simulation", FOLDERS, (signal) => {
    process.stdout.write(`ended early by ${signal}: seed ${options.seed}\n`);
    if (count > 1) process.stdout.write(exploration.text);
  });
  // Runs that were ended because they hang leave theirs.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  if (count > 1) return await exploration.run({ count, jobs, isFirstEnough });
  if (values.shrink) return await shrink(options);
  const result = await run(options);
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(result.failure === null ? summaryText(result) : failureText(options, result));
  return result.failure === null;
}

function freshSeed(): string {
  return String(Number(process.hrtime.bigint() % 1_000_000_007n));
}
