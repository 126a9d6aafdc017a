import { parseArgs } from "node:util";
import { explore } from "./explore.ts";
import { run } from "./run.ts";
import type { RunOptions } from "./run.ts";
import { shrink } from "./shrink.ts";
import { failureText, summaryText } from "./text.ts";

const USAGE = `npm run sim -- [--seed S] [--seeds COUNT] [--steps N] [--jobs N] [--no-faults] [--shrink] [--trace]

  --seed S      a run, or the first of several; without it a fresh one is drawn, and printed
  --seeds COUNT so many runs, each in a process of its own: S, S+1, S+2 …
  --steps N     events in each, before the faults end and everything has to come to one state; 2000
  --jobs N      runs at once; 1
  --first       ends with the first run that fails
  --no-faults   only what is ordinary
  --shrink      where it fails: with fewer steps, decisions and replicas, for as long as it still does
  --trace       each event on stderr
  --omit LIST --decisions N --replicas N   what --shrink prints
  --json        the result as one document
`;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "1" },
    steps: { type: "string", default: "2000" },
    jobs: { type: "string", default: "1" },
    first: { type: "boolean", default: false },
    "no-faults": { type: "boolean", default: false },
    shrink: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    omit: { type: "string", default: "" },
    replicas: { type: "string" },
    decisions: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else process.exitCode = (await main()) ? 0 : 1;

/** @returns whether all promises were kept */
async function main(): Promise<boolean> {
  const options: RunOptions = {
    seed: values.seed ?? freshSeed(),
    steps: Number(values.steps),
    withoutFaults: values["no-faults"],
    omitted: values.omit === "" ? [] : values.omit.split(",").flatMap(readRange),
    replicas: values.replicas === undefined ? undefined : Number(values.replicas),
    decisions: values.decisions === undefined ? undefined : Number(values.decisions),
    trace: values.trace ? (line) => void process.stderr.write(`${line}\n`) : () => {},
  };
  const count = Number(values.seeds);
  if (count > 1)
    return await explore(options, { count, jobs: Number(values.jobs), isFirstEnough: values.first });
  if (values.shrink) return await shrink(options);
  const result = await run(options);
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(result.failure === null ? summaryText(result) : failureText(options, result));
  return result.failure === null;
}

function freshSeed(): string {
  return String(Number(process.hrtime.bigint() % 1_000_000_007n));
}

/** `7` or `3-9`. */
function readRange(text: string): number[] {
  const [first, last = first] = text.split("-").map(Number);
  return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);
}
