import { setTimeout as pause } from "node:timers/promises";
import { execFileSync } from "node:child_process";
import { cpuSeconds } from "./harness/process-usage.ts";
import { rounded } from "./harness/result.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { Workspace } from "./harness/workspace.ts";

const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 30);
const SETTLE_SECONDS = 5;

async function run(): Promise<BenchResult> {
  await using space = new Workspace();
  const file = space.path("app.db");
  execFileSync("sqlite3", [file, "PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY);"]);
  const primary = await space.serve(["primary", file]);
  const replica = await space.serve(["replica", primary.url, space.path("edge.db")]);
  const asleep = space.program("asleep", []);
  const nodes = { asleep, primary, replica };
  await pause(SETTLE_SECONDS * 1000);
  const before = Object.values(nodes).map(({ pid }) => cpuSeconds(pid));
  const start = performance.now();
  await pause(SECONDS * 1000);
  const elapsed = (performance.now() - start) / 1000;
  const [base = 0, onPrimary = 0, onReplica = 0] = Object.values(nodes).map(
    ({ pid }, index) => ((cpuSeconds(pid) - before[index]!) / elapsed) * 100,
  );
  // The kernel counts in ticks of 10 ms: this is the least that can be told from nothing.
  const resolution = 1 / elapsed;
  const row = (what: string, percent: number): Record<string, string | number> => ({
    what,
    percentOfACore: rounded(percent),
    ratio: rounded(percent / Math.max(base, resolution)),
  });
  return {
    rows: [row("node that sleeps (baseline)", base), row("primary", onPrimary), row("replica", onReplica)],
    figures: {
      resolutionPercent: rounded(resolution),
      primaryPercent: rounded(onPrimary),
      replicaPercent: rounded(onReplica),
      primaryRatio: rounded(onPrimary / Math.max(base, resolution)),
      replicaRatio: rounded(onReplica / Math.max(base, resolution)),
    },
  };
}

export const bench: Bench = {
  question: "What do a primary and a replica cost while nothing happens, against a node process that sleeps?",
  run,
};
