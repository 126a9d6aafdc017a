import { rmSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { Workspace } from "../harness/workspace.ts";
import { costOf } from "./instructions.ts";
import type { Measure } from "./instructions.ts";
import type { Measured } from "./judge.ts";

/** One promise about cost: what the product makes of some work, against the same work without it. */
export interface Question {
  readonly name: string;
  readonly asks: string;
  readonly measure: Measure;
  /** By how much the ratio may grow past the recorded one, as a part. */
  readonly limitPart: number;
  readonly rounds: number;
  readonly prepare: (space: Workspace, cost: CostOf) => Promise<Round>;
}

type CostOf = (argv: readonly string[]) => number;

/** The same work: twice without the product, on either side of once with it. */
type Round = () => { readonly before: number; readonly product: number; readonly after: number };

const COMMITS = "4000";
const READS = "100000";

function removeDatabase(file: string): void {
  for (const part of ["", "-wal", "-shm", "-tailrace"])
    rmSync(`${file}${part}`, { recursive: true, force: true });
}

/** Work on a database of its own each time. */
function onNewFiles(work: string): Question["prepare"] {
  return async (space, cost) => {
    const commits = (what: string): number => {
      const file = space.path(`${what}.db`);
      const found = cost([what, file, COMMITS]);
      removeDatabase(file);
      return found;
    };
    return () => ({ before: commits("commits"), product: commits(work), after: commits("commits") });
  };
}

async function attachedWriter(space: Workspace, cost: CostOf): Promise<Round> {
  const [alone, followed] = [space.path("alone.db"), space.path("followed.db")];
  cost(["commits", followed, "1"]);
  await space.serve(["primary", followed, "--durability", "os"]);
  const commits = (file: string): number => cost(["commits", file, COMMITS]);
  return () => ({ before: commits(alone), product: commits(followed), after: commits(alone) });
}

async function replicaReads(space: Workspace, cost: CostOf): Promise<Round> {
  const [source, replica, alone] = [
    space.path("source.db"),
    space.path("replica.db"),
    space.path("alone.db"),
  ];
  cost(["commits", source, "1000"]);
  cost(["commits", alone, "1000"]);
  const { url } = await space.serve(["primary", source, "--durability", "os"]);
  const baseline = (): number => cost(["reads", alone, READS]);
  const product = (): number => cost(["replica-reads", replica, READS, url]);
  product();
  return () => ({ before: baseline(), product: product(), after: baseline() });
}

const read = {
  asks: "a look-up through replica.database, against the same through node:sqlite",
  prepare: replicaReads,
};
const attached = {
  asks: "an application's commit while a primary follows its file, against one that nobody follows",
  prepare: attachedWriter,
};
const own = {
  asks: "a commit through primary.database, as its thread pays for it, against plain SQLite",
  prepare: onNewFiles("primary-commits"),
};
const captured = {
  asks: "a commit captured into the log, against what SQLite needs to make it",
  prepare: onNewFiles("capture"),
};

/** Counted they are exact everywhere, and a few rounds are enough. */
const COUNTED = { measure: "instructions", limitPart: 0.03, rounds: 5 } as const;
/** How many of the application's own checkpoints meet one of Tailrace's is chance. */
const BY_CHANCE = { ...COUNTED, limitPart: 0.05, rounds: 9 } as const;
/** Time says something on a quiet machine alone: it is asked where nothing else can be. */
const TIMED = { measure: "time", limitPart: 0.05, rounds: 15 } as const;

export const QUESTIONS: readonly Question[] = [
  { name: "local-read-instructions", ...read, ...COUNTED },
  { name: "own-commit-instructions", ...own, ...COUNTED },
  { name: "capture-instructions", ...captured, ...COUNTED },
  { name: "attached-writer-instructions", ...attached, ...BY_CHANCE },
  { name: "local-read-time", ...read, ...TIMED },
  { name: "own-commit-time", ...own, ...TIMED },
];

/** Asks it in as many rounds. */
export async function measure({ measure: what, rounds, prepare }: Question): Promise<Measured> {
  await using space = new Workspace();
  const round = await prepare(space, (argv) => costOf(argv, what));
  const measured: { ratios: number[]; noise: number[] } = { ratios: [], noise: [] };
  for (let done = 0; done < rounds; done++) {
    // Rounds wait for nothing: a signal would.
    await setImmediate();
    const { before, product, after } = round();
    measured.ratios.push(product / Math.sqrt(before * after));
    measured.noise.push(after / before);
  }
  return measured;
}
