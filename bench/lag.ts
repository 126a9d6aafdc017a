import { execFileSync } from "node:child_process";
import { percentile, rounded } from "./harness/result.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { Workspace } from "./harness/workspace.ts";

const RATES = [100, 1_000, 5_000];
const SECONDS = Number(process.env["BENCH_SECONDS"] ?? 5);
const WARM_UP_SECONDS = 1;
const NEVER_SEEN_LIMIT_MS = 10_000;

/** Lags in ms from "commit returned" in one process to "visible" in another that reads `readFile`. */
async function measure(
  space: Workspace,
  writeFile: string,
  readFile: string,
  rate: number,
): Promise<number[]> {
  const probe = space.program("visibility-probe", [readFile]);
  await probe.waitFor(/reading\n/);
  const writer = space.program("paced-writer", [writeFile, rate, SECONDS + WARM_UP_SECONDS]);
  const { code } = await writer.exited;
  if (code !== 0) throw new Error(writer.text);
  const { first, committedUs } = JSON.parse(writer.text) as { first: number; committedUs: number[] };
  const lastId = first + committedUs.length - 1;
  await waitUntilSeen(readFile, lastId);
  await new Promise((resolve) => setTimeout(resolve, 100));
  probe.child.stdin.end();
  await probe.exited;
  const seen = JSON.parse(probe.text.slice(probe.text.indexOf("\n") + 1)) as [number, number][];
  const lags: number[] = [];
  let next = first;
  for (const [id, momentUs] of seen)
    for (; next <= id; next++)
      if (next - first >= rate * WARM_UP_SECONDS) lags.push((momentUs - committedUs[next - first]!) / 1e3);
  if (next <= lastId) throw new Error(`commits ${next} to ${lastId} never became visible`);
  return lags;
}

async function waitUntilSeen(file: string, id: number): Promise<void> {
  const deadline = performance.now() + NEVER_SEEN_LIMIT_MS;
  while (performance.now() < deadline) {
    const text = execFileSync("sqlite3", ["-cmd", ".timeout 5000", file, "SELECT max(id) FROM probe"], {
      encoding: "utf8",
    });
    if (Number(text) >= id) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function createDatabase(file: string): void {
  execFileSync("sqlite3", [
    file,
    "PRAGMA journal_mode=WAL; CREATE TABLE probe(id INTEGER PRIMARY KEY, v BLOB);",
  ]);
}

async function run(): Promise<BenchResult> {
  const rows: Record<string, string | number>[] = [];
  const figures: Record<string, number> = {};
  const medians = new Map<number, number>();
  for (const durability of ["baseline", "os", "commit"]) {
    for (const rate of RATES) {
      await using space = new Workspace();
      const file = space.path("app.db");
      createDatabase(file);
      let readFile = file;
      if (durability !== "baseline") {
        readFile = space.path("edge.db");
        const primary = await space.serve(["primary", file, "--durability", durability]);
        await space.serve(["replica", primary.url, readFile, "--durability", durability]);
      }
      const lags = await measure(space, file, readFile, rate);
      const [p50, p99, p999] = [0.5, 0.99, 0.999].map((fraction) => percentile(lags, fraction)) as [
        number,
        number,
        number,
      ];
      if (durability === "baseline") medians.set(rate, p50);
      const ratio = p50 / medians.get(rate)!;
      rows.push({
        read: durability === "baseline" ? "primary's file (baseline)" : `replica, durability ${durability}`,
        commitsPerSecond: rate,
        p50Ms: rounded(p50),
        p99Ms: rounded(p99),
        p999Ms: rounded(p999),
        maxMs: rounded(Math.max(...lags)),
        p50Ratio: rounded(ratio),
      });
      Object.assign(figures, {
        [`${durability}${rate}P50Ms`]: rounded(p50),
        [`${durability}${rate}P99Ms`]: rounded(p99),
        [`${durability}${rate}P999Ms`]: rounded(p999),
        [`${durability}${rate}P50Ratio`]: rounded(ratio),
      });
    }
  }
  return { rows, figures };
}

export const bench: Bench = {
  question:
    "How long from a commit's return on the primary until a reader of the replica in another process sees it, against a reader of the primary's own file?",
  run,
};
