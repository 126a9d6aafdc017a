import { choice, names, wholeNumber } from "../harness/tool/options.ts";
import type { Tool } from "../harness/tool/tool.ts";

interface Values {
  readonly only: readonly string[];
  readonly by: "tests" | "simulation" | undefined;
  readonly seeds: number;
  readonly steps: number;
}

export function mutantsTool(faults: readonly string[]): Tool<Values> {
  return {
    command: "npm run mutants --",
    about:
      "Plants each fault of faults.ts in a copy of this checkout, one after the other, and finds out whether its tests notice, and whether the simulation does. What it finds replaces its rows in caught.md, one by one: it may be ended at any time. Exits with 1 where a fault was not caught by anything.",
    options: {
      only: names("this fault alone; several times, for several", faults),
      by: choice("KIND", "its tests alone, or the simulation alone (tests | simulation)", [
        "tests",
        "simulation",
      ]),
      seeds: wholeNumber("N", "runs of the simulation for each, from seed 1 on", 10),
      steps: wholeNumber("N", "events in each", 2_000),
    },
  };
}
