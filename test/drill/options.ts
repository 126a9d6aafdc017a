import { flag, minutes, names, wholeNumber } from "../harness/tool/options.ts";
import type { Tool } from "../harness/tool/tool.ts";

interface Values {
  readonly minutes: number;
  readonly seed: number | undefined;
  readonly only: readonly string[];
  readonly list: boolean;
}

export function drillTool(exercises: readonly string[]): Tool<Values> {
  return {
    command: "npm run drill --",
    about:
      "What goes wrong in the world, done to real nodes, writers and readers: a table at the end, and exit code 1 where a promise was not kept.",
    options: {
      minutes: minutes("no exercise begins later; what is under way is finished", 5),
      seed: wholeNumber("S", "the order of an earlier drill", undefined, {
        least: 0,
        initialText: "one is drawn, and printed",
      }),
      only: names("this exercise alone; several times, for several", exercises),
      list: flag("shows all exercises, and does none"),
    },
    words: "only",
  };
}
