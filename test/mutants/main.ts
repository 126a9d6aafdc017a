/** `npm run mutants -- --help` */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { NOT_ASKED, NOT_CAUGHT, formatCaught, isCaught, merged, readCaught } from "./caught.ts";
import type { Cell, Row } from "./caught.ts";
import { runTests, simulate } from "./checks.ts";
import { FAULTS } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { PlantedTree } from "./planted-tree.ts";

const USAGE = `npm run mutants [-- --only NAME]… [--by tests|simulation] [--seeds N] [--steps N]

Plants each fault of faults.ts in a copy of this checkout, one after the other, and finds out whether its tests notice,
and whether the simulation does. What it finds replaces its rows in caught.md, one by one: it may be ended at any time.
Exits with 1 where a fault was not caught by anything. All of it takes about a quarter of an hour.

  --only NAME  this fault alone; several times, for several
  --by KIND    tests: its tests alone; simulation: the simulation alone
  --seeds N    runs of the simulation for each, from seed 1 on; 10
  --steps N    events in each; 2000
`;

const CAUGHT = new URL("caught.md", import.meta.url);
/** Of all tests together, without a fault. */
const SOUND_LIMIT_MS = 600_000;
const LIMIT_MS = 120_000;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    by: { type: "string", default: "tests,simulation" },
    seeds: { type: "string", default: "10" },
    steps: { type: "string", default: "2000" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else {
  const stopping = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const)
    process.once(name, () => stopping.abort(`ended by ${name}`));
  process.exitCode = await main(stopping.signal).catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
    process.stderr.write(`${String(error)}\n`);
    return 1;
  });
}

/** @returns the exit code */
async function main(signal: AbortSignal): Promise<number> {
  const unknown = values.only.filter((name) => FAULTS.every((fault) => fault.name !== name));
  if (unknown.length > 0) {
    process.stderr.write(
      `no fault ${unknown.join(", ")}; there are: ${FAULTS.map(({ name }) => name).join(", ")}\n`,
    );
    return 2;
  }
  const chosen = FAULTS.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  using tree = new PlantedTree();
  const { folder } = tree;
  const tests = async (files: readonly string[], limitMs: number): Promise<Cell> =>
    values.by.includes("tests") ? await runTests(files, { folder, signal, limitMs }) : NOT_ASKED;
  const simulation = async (limitMs: number): Promise<Cell> =>
    values.by.includes("simulation") ? await simulate(values, { folder, signal, limitMs }) : NOT_ASKED;

  const allTests = [...new Set(chosen.flatMap((fault) => fault.tests))];
  const sound = [await tests(allTests, SOUND_LIMIT_MS), await simulation(SOUND_LIMIT_MS)];
  const found = sound.find((cell) => cell !== NOT_CAUGHT && cell !== NOT_ASKED);
  if (found !== undefined) {
    process.stderr.write(`without any fault: ${found}\n`);
    return 1;
  }
  const rows: Row[] = [];
  for (const fault of chosen) {
    using _planted = tree.plant(fault);
    const { name, mistake } = fault;
    const byTests = await tests(fault.tests, LIMIT_MS);
    const row = note({ name, mistake, tests: byTests, simulation: await simulation(LIMIT_MS) });
    process.stdout.write(
      `${rows.push(row)}/${chosen.length} ${name}: tests ${row.tests}; simulation ${row.simulation}\n`,
    );
  }
  return rows.every((row) => isCaught(row)) ? 0 : 1;
}

/** Puts what was found of a fault in its place in the table. @returns all that is known of it */
function note(found: Row): Row {
  const known = existsSync(CAUGHT) ? readCaught(readFileSync(CAUGHT, "utf8")) : new Map<Fault["name"], Row>();
  const row = merged(known.get(found.name), found);
  known.set(found.name, row);
  const rows = FAULTS.map(({ name, mistake }) => ({ ...known.get(name), mistake })).filter(
    (candidate): candidate is Row => "name" in candidate,
  );
  writeFileSync(CAUGHT, formatCaught(rows));
  return row;
}
