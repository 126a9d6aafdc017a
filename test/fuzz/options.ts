import { flag, minutes, names, wholeNumber } from "../harness/tool/options.ts";
import type { Tool } from "../harness/tool/tool.ts";

interface Values {
  readonly minutes: number;
  readonly inputs: number | undefined;
  readonly target: readonly string[];
  readonly seed: number | undefined;
  readonly keep: boolean;
}

export function fuzzTool(targets: readonly string[]): Tool<Values> {
  return {
    command: "npm run fuzz --",
    about:
      "Made-up and spoilt input, for all that reads files or answers over HTTP. What goes wrong is printed, made as small as it can be; exits with 1 then.",
    options: {
      minutes: minutes("shared by the targets", 5),
      inputs: wholeNumber("N", "for each target, instead of a time", undefined, { never: ["minutes"] }),
      target: names(`this alone; several times, for several: ${targets.join(" ")}`, targets),
      seed: wholeNumber("S", "the inputs of an earlier run", undefined, {
        least: 0,
        initialText: "one is drawn, and printed",
      }),
      keep: flag("what goes wrong becomes part of the corpus, which npm test tries each time"),
    },
  };
}
