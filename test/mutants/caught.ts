/** How a fault was caught by one kind of check, in a few words; or one of these two. */
export type Cell = string;
export const NOT_CAUGHT: Cell = "–";
export const NOT_ASKED: Cell = "";

/** What became of one fault. */
export interface Row {
  readonly name: string;
  readonly mistake: string;
  readonly simulation: Cell;
  readonly tests: Cell;
}

export function isCaught({ simulation, tests }: Row): boolean {
  return isCatch(simulation) || isCatch(tests);
}

/** The newer row, with what the older one knows of checks that were not asked again. */
export function merged(older: Row | undefined, newer: Row): Row {
  const { simulation = NOT_ASKED, tests = NOT_ASKED } = older ?? {};
  return {
    ...newer,
    simulation: newer.simulation === NOT_ASKED ? simulation : newer.simulation,
    tests: newer.tests === NOT_ASKED ? tests : newer.tests,
  };
}

/** A table in Markdown: which check caught which fault. */
export function formatCaught(rows: readonly Row[]): string {
  const count = (is: (row: Row) => boolean): number => rows.filter((row) => is(row)).length;
  return [
    "# Deliberate faults, and what catches them",
    "",
    "Made by `npm run mutants`: each fault of `faults.ts` is planted in a copy of the product.",
    `${NOT_CAUGHT} stands where it was not noticed, nothing where nobody has looked.`,
    "",
    `${count(isCaught)} of ${rows.length} caught: ${count(({ tests }) => isCatch(tests))} by the tests, ` +
      `${count(({ simulation }) => isCatch(simulation))} by the simulation.`,
    "",
    "| fault | the product … | tests | simulation |",
    "|---|---|---|---|",
    ...rows.map(
      ({ name, mistake, tests, simulation }) =>
        `| ${[name, mistake, tests, simulation].map(escape).join(" | ")} |`,
    ),
    "",
  ].join("\n");
}

/** The rows of such a table, by the names of their faults. */
export function readCaught(table: string): Map<string, Row> {
  const rows = new Map<string, Row>();
  for (const line of table.split("\n")) {
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
    const [, name = "", mistake = "", tests = "", simulation = ""] = cells;
    if (/^[a-z-]*[a-z]$/.test(name) && name !== "fault") rows.set(name, { name, mistake, tests, simulation });
  }
  return rows;
}

function isCatch(cell: Cell): boolean {
  return cell !== NOT_CAUGHT && cell !== NOT_ASKED;
}

function escape(text: string): string {
  return text.replaceAll("|", "\\|");
}
