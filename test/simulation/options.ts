import { WrongValue, flag, text, wholeNumber } from "../harness/tool/options.ts";
import type { ToolOption } from "../harness/tool/options.ts";
import type { Tool } from "../harness/tool/tool.ts";

interface Values {
  readonly seed: string | undefined;
  readonly seeds: number;
  readonly steps: number;
  readonly jobs: number;
  readonly first: boolean;
  readonly "no-faults": boolean;
  readonly shrink: boolean;
  readonly trace: boolean;
  readonly omit: readonly number[];
  readonly decisions: number | undefined;
  readonly replicas: number | undefined;
  readonly json: boolean;
}

const OF_ONE_RUN = ["seeds"];

export const SIMULATION: Tool<Values> = {
  command: "npm run sim --",
  about:
    "A whole cluster, its disks, network and clocks, in one process from one seed: whether every invariant holds, whatever breaks. Exits with 1 where one does not.",
  options: {
    seed: text("S", "a run, or the first of several", undefined, {
      initialText: "one is drawn, and printed",
    }),
    seeds: wholeNumber("COUNT", "so many runs, each in a process of its own: S, S+1, S+2 …", 1),
    steps: wholeNumber(
      "N",
      "events in each, before the faults end and everything has to come to one state",
      2_000,
    ),
    jobs: wholeNumber("N", "runs at once", 1),
    first: flag("ends with the first run that fails"),
    "no-faults": flag("only what is ordinary"),
    shrink: flag("where it fails: with fewer steps, decisions and replicas, for as long as it still does", {
      never: [...OF_ONE_RUN, "json", "trace"],
    }),
    trace: flag("each event on stderr", { never: OF_ONE_RUN }),
    omit: ranges("LIST", "decisions that are left out, such as 3-9,12: --shrink prints what"),
    decisions: wholeNumber("N", "at most so many: as --omit", undefined, { least: 0 }),
    replicas: wholeNumber("N", "at most so many: as --omit", undefined),
    json: flag("the result as one document", { never: OF_ONE_RUN }),
  },
};

/** `7` or `3-9`, and several of them with commas between. */
function ranges(placeholder: string, what: string): ToolOption<readonly number[]> {
  return { placeholder, what, initial: [], read: (given) => given.split(",").flatMap(range) };
}

function range(part: string): readonly number[] {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
  const count = Number(last) - Number(first) + 1;
  if (!(count > 0)) throw new WrongValue("It has to be numbers and ranges, such as 3-9,12.");
  return Array.from({ length: count }, (_, index) => Number(first) + index);
}
