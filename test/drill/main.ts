/**
 * `npm run drill -- --minutes N [--seed S] [--only NAME…] [--list]`: what goes wrong in the world, done to real nodes,
 * writers and readers for so many minutes, with a table and a verdict at the end.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { formatTable } from "../../bench/harness/result.ts";
import { pathToPython } from "../harness/outsiders.ts";
import { exercises } from "./catalog.ts";
import { drill } from "./drill.ts";

const USAGE = "usage: npm run drill -- --minutes N [--seed S] [--only NAME…] [--list]";

const { values, positionals } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", multiple: true, default: [] },
    list: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const wanted = [...values.only, ...positionals];
const unknown = wanted.filter((name) => !exercises.some((exercise) => exercise.name === name));
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (unknown.length > 0 || !(minutes > 0) || !Number.isSafeInteger(seed)) {
  console.error(unknown.length > 0 ? `no exercise ${unknown.join(", ")}; --list shows them` : USAGE);
  process.exit(2);
}
if (values.list) {
  for (const { name, what } of exercises) console.log(`${name.padEnd(18)} ${what}`);
  process.exit(0);
}

const chosen = exercises.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
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

console.error(`seed ${seed}, ${minutes} min, ${possible.length} exercises`);
let endMs = performance.now() + minutes * 60_000;
// The exercise under way is finished, and all is cleaned up.
process.once("SIGINT", () => (endMs = 0));
const startMs = performance.now();
const { tally, failure } = await drill({
  seed,
  exercises: possible,
  goesOn: () => performance.now() < endMs,
  say: (line) => console.error(`${((performance.now() - startMs) / 1000).toFixed(0).padStart(5)} s  ${line}`),
});
console.log(formatTable(tally.rows()));
console.log(failure ?? `passed: seed ${seed}, nothing lost, nothing torn, all files identical`);
process.exitCode = failure === null ? 0 : 1;
