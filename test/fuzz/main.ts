/** `npm run fuzz -- --help` */
import { endsEarly } from "../harness/tool/early-end.ts";
import { readOrExit } from "../harness/tool/tool.ts";
import { keep } from "./engine/corpus.ts";
import { FOLDERS, supervise } from "./engine/supervise.ts";
import type { Supervised } from "./engine/supervise.ts";
import { tableOf } from "./engine/table.ts";
import { fuzzTool } from "./options.ts";
import { TARGETS } from "./targets.ts";

const { minutes, inputs, target: wanted, ...values } = readOrExit(fuzzTool(TARGETS.map(({ name }) => name)));
const targets = TARGETS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const seed = values.seed ?? Date.now() % 1_000_000_007;
const found: Supervised = { findings: [], counts: [] };
endsEarly("fuzz", FOLDERS, (signal) => {
  print();
  console.log(`ended early by ${signal}: what the target under way has tried is not counted`);
});
console.error(`seed ${seed}`);
const limit = inputs === undefined ? { minutes: minutes / targets.length } : { inputs };
await supervise(targets, { seed, ...limit }, found);
print();
process.exitCode = found.findings.length === 0 ? 0 : 1;

function print(): void {
  for (const { target, from, problem, steps } of found.findings) {
    console.log(`${target}, ${from}: ${problem}`);
    if (steps === undefined) continue;
    if (values.keep) console.log(`  kept as ${keep({ target, why: problem, steps })}`);
    else console.log(`  ${JSON.stringify(steps).slice(0, 600)}`);
  }
  console.log(tableOf(found.counts));
}
