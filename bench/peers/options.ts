import { flag, names, wholeNumber } from "../../test/harness/tool/options.ts";
import type { Tool } from "../../test/harness/tool/tool.ts";
import { PEERS } from "./products.ts";
import { QUESTIONS } from "./questions.ts";

interface Values {
  readonly only: readonly string[];
  readonly questions: readonly string[];
  readonly quick: boolean;
  readonly repeat: number | undefined;
  readonly render: boolean;
}

const peers = PEERS.map(({ name }) => name);
const questions = QUESTIONS.map(({ name }) => name);

export const PEER_COMPARISON: Tool<Values> = {
  command: "npm run bench -- peers",
  about:
    "The same work for Tailrace, its peers, and what they are the limit of: some 15 minutes. A run of all writes bench/results/peers.json and docs/benchmarks.md; exits with 1 where a peer failed at something.",
  options: {
    only: names(`these peers alone: ${peers.join(" ")}`, peers, { placeholder: "PEER,…" }),
    questions: names(`these questions alone: ${questions.join(" ")}`, questions, { placeholder: "NAME,…" }),
    quick: flag("small sizes, 3 minutes; prints only"),
    repeat: wholeNumber("N", "repetitions", undefined, { initialText: "3, with --quick 1" }),
    render: flag("measures nothing: the document is made again of the figures there are", {
      never: ["only", "questions", "quick", "repeat"],
    }),
  },
};
