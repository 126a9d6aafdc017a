import { rmSync, statSync } from "node:fs";
import { until } from "../test/harness/node-process.ts";
import { createLargeDatabase } from "./harness/databases.ts";
import { startNginx } from "./harness/nginx.ts";
import { peakMemoryBytes } from "./harness/process-usage.ts";
import { median, rounded } from "./harness/result.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { Workspace, settleDisk, timeCommand } from "./harness/workspace.ts";

const SIZE_BYTES = Number(process.env["BENCH_MIB"] ?? 1024) << 20;
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);
const READY_LIMIT_MS = 300_000;

async function run(): Promise<BenchResult> {
  await using space = new Workspace();
  const file = space.path("app.db");
  const copy = space.path("copy.db");
  createLargeDatabase(file, SIZE_BYTES);
  const sizeBytes = statSync(file).size;
  const nginx = await startNginx(space, space.folder);
  const primary = await space.serve(["primary", file]);
  // The first request makes the snapshot; what is measured is its way to a replica.
  const snapshotSeconds = timeCommand("curl", [
    "-sf",
    "-o",
    "/dev/null",
    "-I",
    `${primary.url}/snapshot/latest`,
  ]);
  const seconds: Record<"nginx" | "curl" | "replica", number[]> = { nginx: [], curl: [], replica: [] };
  let memoryBytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    settleDisk();
    seconds.nginx.push(timeCommand("curl", ["-sf", "-o", copy, `${nginx}/app.db`]));
    rmSync(copy);
    settleDisk();
    seconds.curl.push(timeCommand("curl", ["-sf", "-o", copy, `${primary.url}/snapshot/latest`]));
    rmSync(copy);
    settleDisk();
    const replicaFile = space.path(`edge${round}.db`);
    const start = performance.now();
    const replica = await space.serve(["replica", primary.url, replicaFile]);
    await until(
      "replica ready",
      () => fetch(`${replica.url}/readyz`),
      (answer) => answer.ok,
      READY_LIMIT_MS,
    );
    seconds.replica.push((performance.now() - start) / 1000);
    memoryBytes = Math.max(memoryBytes, peakMemoryBytes(replica.pid));
    await replica.stop();
    rmSync(replicaFile);
    rmSync(`${replicaFile}-tailrace`, { recursive: true });
  }
  const rate = (name: keyof typeof seconds): number => sizeBytes / median(seconds[name]) / 1e6;
  const row = (what: string, name: keyof typeof seconds): Record<string, string | number> => ({
    what,
    seconds: rounded(median(seconds[name])),
    megabytesPerSecond: rounded(rate(name)),
    ratio: rounded(rate(name) / rate("nginx")),
  });
  return {
    rows: [
      row("nginx by curl (baseline)", "nginx"),
      row("GET /snapshot/latest by curl", "curl"),
      row("tailrace replica: process start to ready", "replica"),
    ],
    figures: {
      sizeBytes,
      bootstrapRatio: rounded(rate("replica") / rate("nginx")),
      downloadRatio: rounded(rate("curl") / rate("nginx")),
      replicaPeakMemoryBytes: memoryBytes,
      primaryPeakMemoryBytes: peakMemoryBytes(primary.pid),
      takeSnapshotSeconds: rounded(snapshotSeconds),
    },
  };
}

export const bench: Bench = {
  question:
    "How fast does a replica come up from a large snapshot, against a plain static download of the same file?",
  run,
};
