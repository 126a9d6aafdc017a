import { names } from "../test/harness/tool/options.ts";
import type { Tool } from "../test/harness/tool/tool.ts";

interface Values {
  readonly only: readonly string[];
}

export function benchTool(benches: readonly string[]): Tool<Values> {
  return {
    command: "npm run bench --",
    about:
      "Each benchmark answers one question with a table, and one line of JSON with its ratio against a baseline of the same run; bench/results has them as well. guard asks whether users pay more than was recorded, and exits with 1 then; BENCH_RECORD=1 records anew, on a quiet machine. For the comparison with other products see: npm run bench -- peers --help",
    options: {
      only: names(`these benchmarks, one after the other: ${benches.join(" ")}`, benches, {
        missing: `which benchmark? There are ${benches.join(", ")} and peers`,
      }),
    },
    words: "only",
  };
}
