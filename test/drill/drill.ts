import { Chance } from "../harness/seed.ts";
import { Cluster } from "./cluster.ts";
import type { Exercise } from "./exercise.ts";
import { settle } from "./settling.ts";
import type { Tally } from "./tally.ts";

export interface DrillOptions {
  readonly seed: number;
  readonly exercises: readonly Exercise[];
  /** Takes what each came to. */
  readonly tally: Tally;
  /** Another exercise is begun as long as this is true. @param cycles how many have been done */
  readonly goesOn: (cycles: number) => boolean;
  /** Progress, a line at a time. */
  readonly say: (line: string) => void;
}

/**
 * Does exercises in an order drawn from the seed, each with as many others before it is done again, and looks for
 * everything that was promised after each.
 *
 * @returns the first promise that was not kept, with which it ends; null: everything was as promised
 */
export async function drill({ seed, exercises, tally, goesOn, say }: DrillOptions): Promise<string | null> {
  const order = new Chance(seed);
  const cluster = await Cluster.start();
  let round: Exercise[] = [];
  let failure: string | null = null;
  try {
    for (let cycle = 1; goesOn(cycle - 1) && failure === null; cycle++) {
      if (round.length === 0) round = shuffled(exercises, order);
      const exercise = round.pop()!;
      failure = await oneCycle({ cluster, exercise, cycle, seed, tally, say });
    }
  } finally {
    if (failure !== null) cluster.saveLogs();
    await cluster.end();
  }
  if (failure === null) cluster.removeFolder();
  return failure;
}

async function oneCycle({
  cluster,
  exercise,
  cycle,
  seed,
  tally,
  say,
}: {
  readonly cluster: Cluster;
  readonly exercise: Exercise;
  readonly cycle: number;
  readonly seed: number;
  readonly tally: Tally;
  readonly say: (line: string) => void;
}): Promise<string | null> {
  const before = { kills: cluster.kills, resyncs: cluster.resyncs };
  cluster.ledger.read();
  cluster.ledger.cycle = cycle;
  await cluster.writers.start();
  const problems: string[] = [];
  // A seed of its own: what happens in one does not depend on how often the others drew.
  const chance = new Chance(seed * 100_003 + cycle);
  await exercise
    .run(cluster, chance)
    .catch((error: unknown) => problems.push(`in the exercise: ${String(error)}`));
  const settled = await settle(cluster, { mayStepBack: exercise.takesBack === true });
  problems.push(...settled.problems);
  const kills = cluster.kills - before.kills;
  const resyncs = cluster.resyncs - before.resyncs;
  tally.add(exercise, settled, { kills, resyncs });
  const { acknowledged, found, seconds } = settled;
  const figures = `${kills} kills, ${acknowledged} acknowledged, ${found} found, ${resyncs} resyncs`;
  say(`${cycle} ${exercise.name}: ${figures}, settled in ${seconds.toFixed(1)} s`);
  if (problems.length === 0) return null;
  return [
    `FAILED: seed ${seed}, cycle ${cycle}, exercise ${exercise.name} (${exercise.what})`,
    "expected: all nodes up and byte-identical, every acknowledged commit found, no torn state, no step back",
    ...problems.slice(0, 20).map((text) => `  ${text}`),
    `kept: ${cluster.folder}, what the nodes said in said/`,
  ].join("\n");
}

function shuffled<T>(things: readonly T[], chance: Chance): T[] {
  const rest = [...things];
  return things.map(() => rest.splice(chance.integer(0, rest.length - 1), 1)[0]!);
}
