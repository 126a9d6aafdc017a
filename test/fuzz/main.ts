/** `npm run fuzz -- --help` */
import { parseArgs } from "node:util";
import { keep } from "./engine/corpus.ts";
import { supervise } from "./engine/supervise.ts";
import { tableOf } from "./engine/table.ts";
import { TARGETS } from "./targets.ts";

const USAGE = `npm run fuzz [-- --minutes N] [--inputs N] [--target NAME]… [--seed S] [--keep]

Made-up and spoilt input, for all that reads files or answers over HTTP. What goes wrong is printed, made as small as it
can be; exits with 1 then.

  --minutes N    shared by the targets; 5
  --inputs N     for each target, instead of a time
  --target NAME  this alone; several times, for several:
                 ${namesInLines()}
  --seed S       the inputs of an earlier run
  --keep         what goes wrong becomes part of the corpus, which npm test tries each time
`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    inputs: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000_007) },
    target: { type: "string", multiple: true, default: [] },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(USAGE);
  process.exit();
}

const unknown = values.target.filter((name) => TARGETS.every((target) => target.name !== name));
if (unknown.length > 0) {
  console.error(`no target ${unknown.join(", ")}; there are: ${TARGETS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const targets = TARGETS.filter(({ name }) => values.target.length === 0 || values.target.includes(name));
const seed = Number(values.seed);
console.error(`seed ${seed}`);
const { findings, counts } = await supervise(targets, {
  seed,
  ...(values.inputs === undefined
    ? { minutes: Number(values.minutes ?? "5") / targets.length }
    : { inputs: Number(values.inputs) }),
});
for (const { target, from, problem, steps } of findings) {
  console.log(`${target}, ${from}: ${problem}`);
  if (steps === undefined) continue;
  if (values.keep) console.log(`  kept as ${keep({ target, why: problem, steps })}`);
  else console.log(`  ${JSON.stringify(steps).slice(0, 600)}`);
}
console.log(tableOf(counts));
process.exitCode = findings.length === 0 ? 0 : 1;

function namesInLines(): string {
  const lines = [""];
  for (const { name } of TARGETS) {
    if (lines.at(-1)!.length + name.length > 90) lines.push("");
    lines[lines.length - 1] += ` ${name}`;
  }
  return lines.map((line) => line.trim()).join(`\n${" ".repeat(17)}`);
}
