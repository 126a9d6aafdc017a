import { rmSync } from "node:fs";
import { Workspace } from "../harness/workspace.ts";
import { costOf } from "./instructions.ts";
import type { Cost } from "./instructions.ts";
import type { Measured } from "./judge.ts";

/** What may be counted or timed of a run. */
export type Measure = "instructions" | "time";

/** One promise about cost: what the product makes of some work, against the same work without it. */
export interface Question {
  readonly name: string;
  readonly asks: string;
  readonly measure: Measure;
  /** By how much the ratio may grow past the recorded one, as a part. */
  readonly limitPart: number;
  readonly rounds: number;
  /** Calls back with the costs of one round. */
  readonly prepare: (space: Workspace, isCounting: boolean) => Promise<Round>;
}

/** The same work: twice without the product, on either side of once with it. */
type Round = () => Promise<{ readonly before: number; readonly product: number; readonly after: number }>;

/** Starting a process costs as much as thousands of commits: what a commit costs is the difference of two counts. */
const FEW = 200;
const COMMITS = 12_000;
const READS = 200_000;

/** Costs that do not depend on how much is done cancel. */
function slope(run: (count: number) => Cost, count: number, isCounting: boolean): number {
  if (!isCounting) return run(count).tookMs;
  return run(count + FEW).instructions! - run(FEW).instructions!;
}

function removeDatabase(file: string): void {
  for (const part of ["", "-wal", "-shm", "-tailrace"])
    rmSync(`${file}${part}`, { recursive: true, force: true });
}

async function attachedWriter(space: Workspace, isCounting: boolean): Promise<Round> {
  const [alone, followed] = [space.path("alone.db"), space.path("followed.db")];
  costOf(["commits", followed, "1"], false);
  await space.serve(["primary", followed, "--durability", "os"]);
  const commits = (file: string): number =>
    slope((count) => costOf(["commits", file, String(count)], isCounting), COMMITS, isCounting);
  return async () => ({ before: commits(alone), product: commits(followed), after: commits(alone) });
}

async function ownCommits(space: Workspace, isCounting: boolean): Promise<Round> {
  const commits = (work: string): number => {
    const file = space.path(`${work}.db`);
    const cost = slope((count) => costOf([work, file, String(count)], isCounting), COMMITS, isCounting);
    removeDatabase(file);
    return cost;
  };
  return async () => ({
    before: commits("commits"),
    product: commits("primary-commits"),
    after: commits("commits"),
  });
}

async function replicaReads(space: Workspace, isCounting: boolean): Promise<Round> {
  const [source, replica, alone] = [
    space.path("source.db"),
    space.path("replica.db"),
    space.path("alone.db"),
  ];
  costOf(["commits", source, "1000"], false);
  costOf(["commits", alone, "1000"], false);
  const { url } = await space.serve(["primary", source, "--durability", "os"]);
  const reads = (argv: (count: number) => readonly string[]): number =>
    slope((count) => costOf(argv(count), isCounting), READS, isCounting);
  const baseline = (): number => reads((count) => ["reads", alone, String(count)]);
  const product = (): number => reads((count) => ["replica-reads", replica, String(count), url]);
  product();
  return async () => ({ before: baseline(), product: product(), after: baseline() });
}

const ATTACHED = "an application's commit while a primary follows its file, against one that nobody follows";
const OWN = "a commit through primary.database, with all that captures and logs it, against plain SQLite";
const READ = "a look-up through replica.database, against the same through node:sqlite";

/** Those that count are exact enough everywhere; time says something on a quiet machine alone, and is judged there alone. */
export const QUESTIONS: readonly Question[] = [
  {
    name: "local-read-instructions",
    asks: READ,
    measure: "instructions",
    limitPart: 0.03,
    rounds: 7,
    prepare: replicaReads,
  },
  {
    name: "attached-writer-instructions",
    asks: ATTACHED,
    measure: "instructions",
    limitPart: 0.03,
    rounds: 9,
    prepare: attachedWriter,
  },
  {
    name: "own-commit-instructions",
    asks: OWN,
    measure: "instructions",
    limitPart: 0.05,
    rounds: 9,
    prepare: ownCommits,
  },
  {
    name: "local-read-time",
    asks: READ,
    measure: "time",
    limitPart: 0.03,
    rounds: 21,
    prepare: replicaReads,
  },
  {
    name: "attached-writer-time",
    asks: ATTACHED,
    measure: "time",
    limitPart: 0.1,
    rounds: 15,
    prepare: attachedWriter,
  },
];

/** Asks it in as many rounds. */
export async function measure({ measure: what, rounds, prepare }: Question): Promise<Measured> {
  await using space = new Workspace();
  const round = await prepare(space, what === "instructions");
  const measured: { ratios: number[]; noise: number[] } = { ratios: [], noise: [] };
  for (let done = 0; done < rounds; done++) {
    const { before, product, after } = await round();
    measured.ratios.push(product / Math.sqrt(before * after));
    measured.noise.push(after / before);
  }
  return measured;
}
