/** `npm run mutants -- --help` */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { endsEarly } from "../harness/tool/early-end.ts";
import { readOrExit } from "../harness/tool/tool.ts";
import { NOT_ASKED, NOT_CAUGHT, formatCaught, isCaught, merged, readCaught } from "./caught.ts";
import type { Cell, Row } from "./caught.ts";
import { runTests, simulate } from "./checks.ts";
import { FAULTS } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { mutantsTool } from "./options.ts";
import { PlantedTree } from "./planted-tree.ts";

const CAUGHT = new URL("caught.md", import.meta.url);
/** Of all tests together, without a fault. */
const SOUND_LIMIT_MS = 600_000;
const LIMIT_MS = 120_000;

const { only, by, ...simulated } = readOrExit(mutantsTool(FAULTS.map(({ name }) => name)));
endsEarly("mutants", tmpdir(), (signal) => void process.stderr.write(`ended early by ${signal}\n`));
process.exitCode = await main();

/** @returns the exit code */
async function main(): Promise<number> {
  const chosen = FAULTS.filter(({ name }) => only.length === 0 || only.includes(name));
  using tree = new PlantedTree();
  const { folder } = tree;
  const tests = async (files: readonly string[], limitMs: number): Promise<Cell> =>
    by === "simulation" ? NOT_ASKED : await runTests(files, { folder, limitMs });
  const simulation = async (limitMs: number): Promise<Cell> =>
    by === "tests" ? NOT_ASKED : await simulate(simulated, { folder, limitMs });

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
