import { fileURLToPath } from "node:url";
import { flag, minutes, text, wholeNumber } from "../harness/tool/options.ts";
import type { Tool } from "../harness/tool/tool.ts";
import { SOAK_SCRIPT } from "./script.ts";
import { MIN_SAMPLES } from "./verdict.ts";

const { warmUpSeconds, sampleMs } = SOAK_SCRIPT;
/** Less is not enough for a verdict. */
const LEAST_MINUTES = Math.ceil((warmUpSeconds + (MIN_SAMPLES * sampleMs) / 1_000) / 60);

interface Values {
  readonly minutes: number;
  readonly seed: number | undefined;
  readonly out: string;
  readonly source: boolean;
}

export const SOAK: Tool<Values> = {
  command: "npm run soak --",
  about:
    "Load on real processes, measured every second. Exits with 1 where anything grows, is too high, or breaks; samples.jsonl, graph.svg and verdict.txt tell of it.",
  options: {
    minutes: minutes(`from ${LEAST_MINUTES} on`, 10, {
      least: LEAST_MINUTES,
      why: `: ${warmUpSeconds} s of warm-up are not judged, and less than ${MIN_SAMPLES} samples after it say nothing`,
    }),
    seed: wholeNumber("S", "the guests of an earlier soak", undefined, {
      least: 0,
      initialText: "one is drawn, and printed",
    }),
    out: text("FOLDER", "for what it writes", resultsFolder(), { initialText: "bench/results/soak" }),
    source: flag("nodes run from this checkout's source, not compiled as users run them"),
  },
};

function resultsFolder(): string {
  return fileURLToPath(new URL("../../bench/results/soak", import.meta.url));
}
