/** `npm run drill -- --help` */
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { formatTable } from "../../bench/harness/result.ts";
import { missingOutsiders, pathToPython } from "../harness/outsiders.ts";
import { endsEarly } from "../harness/tool/early-end.ts";
import { readOrExit } from "../harness/tool/tool.ts";
import { exercises } from "./catalog.ts";
import { drill } from "./drill.ts";
import { drillTool } from "./options.ts";
import { Tally } from "./tally.ts";

const { minutes, only, list, ...given } = readOrExit(drillTool(exercises.map(({ name }) => name)));
const seed = given.seed ?? Date.now() % 1_000_000;
if (list) {
  for (const { name, what } of exercises) console.log(`${name.padEnd(18)} ${what}`);
  process.exit(0);
}

const missing = missingOutsiders(["python3", "cmp"]);
if (missing.length > 0) {
  console.error(`nothing is done: every exercise needs ${missing.join(" and ")}, not installed here`);
  process.exit(2);
}
const chosen = exercises.filter(({ name }) => only.length === 0 || only.includes(name));
const possible = chosen.filter(({ name, lacks }) => {
  const reason = lacks?.() ?? null;
  if (reason !== null) console.error(`skipped: ${name} ${reason}`);
  return reason === null;
});
if (possible.length === 0) process.exit(2);

// As in the tests: it starts a process every few seconds.
process.env["PATH"] = pathToPython(process.env["PATH"] ?? "");
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(
  new URL("../../node_modules/.cache/compiled", import.meta.url),
);

const tally = new Tally();
endsEarly("drill", tmpdir(), (signal) => {
  console.log(formatTable(tally.rows()));
  console.log(`ended early by ${signal}: seed ${seed}; the exercise under way counts for nothing`);
});
console.error(`seed ${seed}, ${minutes} min, ${possible.length} exercises`);
const startMs = performance.now();
const endMs = startMs + minutes * 60_000;
const failure = await drill({
  seed,
  exercises: possible,
  tally,
  goesOn: () => performance.now() < endMs,
  say: (line) => console.error(`${((performance.now() - startMs) / 1000).toFixed(0).padStart(5)} s  ${line}`),
});
console.log(formatTable(tally.rows()));
console.log(failure ?? `passed: seed ${seed}, nothing lost, nothing torn, all files identical`);
process.exitCode = failure === null ? 0 : 1;
