import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { checkpointOutcomeSchema } from "../../shared/admin.ts";
import { until } from "../harness/node-process.ts";
import { LIMIT_MS } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import type { DrillNode } from "./drill-node.ts";
import { stepOf } from "./ledger.ts";
import type { Seen } from "./readers.ts";

const ANSWER_MS = 60_000;
const run = promisify(execFile);

export interface Settled {
  readonly seconds: number;
  readonly acknowledged: number;
  readonly found: number;
  /** Acknowledged at any time, missing now. */
  readonly lost: number;
  readonly seen: Seen;
  /** What is not as promised, in words; empty where all is. */
  readonly problems: readonly string[];
}

/** After an exercise: the writers stop, and everything that was promised is looked for, in every database. */
export async function settle(cluster: Cluster, { mayStepBack }: { mayStepBack: boolean }): Promise<Settled> {
  const problems: string[] = [];
  const startMs = performance.now();
  await cluster.writers.stop();
  for (const error of cluster.writers.takeErrors()) problems.push(`a writer met ${error}`);
  for (const { name, isRunning } of cluster.nodes)
    if (!isRunning) problems.push(`${name} has ended by itself`);
  if (problems.length === 0) problems.push(...(await converge(cluster)));
  for (const node of cluster.nodes)
    problems.push(...node.takeConfessions().map((line) => `${node.name} says ${line}`));
  const seconds = (performance.now() - startMs) / 1000;

  const seen = await cluster.readers.report();
  for (const text of seen.torn) problems.push(`a torn state was read from ${text}`);
  if (!mayStepBack) for (const text of seen.back) problems.push(`a step back was read from ${text}`);

  cluster.ledger.read();
  const acknowledged = cluster.ledger.acknowledgedInCycle;
  const missing = cluster.nodes.map((node) => cluster.ledger.missingIn(node.file));
  for (const [index, commits] of missing.entries())
    if (commits.length > 0)
      problems.push(
        `${cluster.nodes[index]!.name} lacks ${commits.length} acknowledged commits, first ${commits[0]!.what}`,
      );
  const ofCycle = missing.map(
    (commits) => commits.filter(({ cycle }) => cycle === cluster.ledger.cycle).length,
  );
  const lost = Math.max(...missing.map((commits) => commits.length));
  return { seconds, acknowledged, found: acknowledged - Math.max(...ofCycle), lost, seen, problems };
}

/** Waits until each replica's file is, byte for byte, what the primary's is. @returns what did not come about */
async function converge({ primary, replicas, nodes }: Cluster): Promise<string[]> {
  const results = await Promise.allSettled(
    replicas.map((node) =>
      until(
        `${node.name} has the primary's step`,
        () => [stepOf(node.file), stepOf(primary.file)] as const,
        ([step, head]) => step === head,
        LIMIT_MS,
      ),
    ),
  );
  const late = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
  if (late.length > 0) return late;
  try {
    await until("all files are the same", () => differences(primary, replicas, nodes), isNone, LIMIT_MS);
    return [];
  } catch (error) {
    return [String(error)];
  }
}

const isNone = (texts: readonly string[]): boolean => texts.length === 0;

async function differences(
  primary: DrillNode,
  replicas: readonly DrillNode[],
  nodes: readonly DrillNode[],
): Promise<string[]> {
  const held = (await Promise.all(nodes.map(heldUp))).flat();
  if (held.length > 0) return held;
  const compared = await Promise.allSettled(replicas.map(({ file }) => run("cmp", [primary.file, file])));
  return compared.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
}

/** Brings all commits into the node's database file. @returns why not, where that cannot be */
async function heldUp({ name, process: { url } }: DrillNode): Promise<string[]> {
  const answer = await fetch(`${url}/admin/checkpoint`, {
    method: "POST",
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const text = await answer.text();
  const isComplete = answer.ok && checkpointOutcomeSchema.parse(JSON.parse(text)).isComplete;
  return isComplete ? [] : [`${name} is not checkpointed: ${text}`];
}
