import { buildDocumentText, proposeDocument } from "./json-steps.ts";
import type { Outcome, Target } from "./target.ts";

/** What a target of JSON documents is made of. */
export interface DocumentTarget {
  readonly name: string;
  readonly shortRun?: number;
  readonly open: (folder: string) => {
    readonly seeds: readonly unknown[];
    readonly run: (text: string) => Outcome | Promise<Outcome>;
  };
}

/** A target whose inputs are documents, sound JSON or not. */
export function documentTarget({ name, shortRun = 300, open }: DocumentTarget): Target {
  return {
    name,
    shortRun,
    maxMs: 1_000,
    open(folder) {
      const { seeds, run } = open(folder);
      return {
        propose: (chance) => proposeDocument(seeds, chance),
        run: (steps) => run(buildDocumentText(steps)),
      };
    },
  };
}
