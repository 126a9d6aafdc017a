/** What became of one fault. */
export interface Verdict {
  readonly name: string;
  readonly mistake: string;
  /** How it was caught; undefined where it was not. */
  readonly bySimulation: string | undefined;
  readonly byTests: string | undefined;
}

/** A table in Markdown: which check caught which fault. */
export function formatCaught(verdicts: readonly Verdict[]): string {
  const caught = verdicts.filter(({ bySimulation, byTests }) => bySimulation ?? byTests).length;
  const simulated = verdicts.filter(({ bySimulation }) => bySimulation).length;
  const tested = verdicts.filter(({ byTests }) => byTests).length;
  return [
    "# Deliberate faults, and what catches them",
    "",
    "Made by `npm run mutants`: each fault of `faults.ts` is planted in a copy of the product.",
    "",
    `${caught} of ${verdicts.length} caught: ${simulated} by the simulation, ${tested} by the tests.`,
    "",
    "| fault | the product … | simulation | tests |",
    "|---|---|---|---|",
    ...verdicts.map(
      ({ name, mistake, bySimulation, byTests }) =>
        `| ${name} | ${cell(mistake)} | ${cell(bySimulation)} | ${cell(byTests)} |`,
    ),
    "",
  ].join("\n");
}

function cell(text: string | undefined): string {
  return text?.replaceAll("|", "\\|") ?? "–";
}
