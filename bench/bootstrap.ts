import { rmSync, statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { StartOptions } from "../test/harness/node-process.ts";
import { compilePackage } from "./harness/compiled.ts";
import { createLargeDatabase } from "./harness/databases.ts";
import { startNginx } from "./harness/nginx.ts";
import { peakMemoryBytes } from "./harness/process-usage.ts";
import { median, rounded } from "./harness/result.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { Workspace, settleDisk, timeCommand } from "./harness/workspace.ts";

const SIZE_BYTES = Number(process.env["BENCH_MIB"] ?? 1024) << 20;
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);
const READY_LIMIT_MS = 300_000;
const LOOK_MS = 5;

/** `start` and `image` are the two halves of a replica that runs as users run it; `source` is all of one from .ts. */
type Measured = "nginx" | "curl" | "start" | "image" | "source";

async function run(): Promise<BenchResult> {
  await using space = new Workspace();
  const file = space.path("app.db");
  const copy = space.path("copy.db");
  createLargeDatabase(file, SIZE_BYTES);
  const sizeBytes = statSync(file).size;
  const nginx = await startNginx(space, space.folder);
  const primary = await space.serve(["primary", file]);
  const latest = `${primary.url}/snapshot/latest`;
  const askForHead = ["-sf", "-o", "/dev/null", "-I", latest];
  // The first request makes the snapshot, and the first that wants its SHA-256 that; what is measured is its way to a replica.
  const snapshotSeconds = timeCommand("curl", [...askForHead, "-H", "want-repr-digest: sha-256=0"]);
  const digestSeconds = timeCommand("curl", askForHead);
  const compiled = compilePackage(space.path("package"));
  const seconds: Record<Measured, number[]> = { nginx: [], curl: [], start: [], image: [], source: [] };
  const memoryBytes = { compiled: 0, source: 0 };
  const bootstrap = async (options: StartOptions): Promise<{ start: number; all: number; bytes: number }> => {
    const replicaFile = space.path("edge.db");
    settleDisk();
    const begin = performance.now();
    const replica = await space.launch(["replica", primary.url, replicaFile], options);
    const start = (performance.now() - begin) / 1000;
    for (;;) {
      const { ok } = await fetch(`${replica.url}/readyz`);
      if (ok) break;
      if (performance.now() - begin > READY_LIMIT_MS) throw new Error("the replica does not become ready");
      await pause(LOOK_MS);
    }
    const all = (performance.now() - begin) / 1000;
    const bytes = peakMemoryBytes(replica.pid);
    await replica.stop();
    rmSync(replicaFile);
    rmSync(`${replicaFile}-tailrace`, { recursive: true });
    return { start, all, bytes };
  };
  for (let round = 0; round < ROUNDS; round++) {
    settleDisk();
    seconds.nginx.push(timeCommand("curl", ["-sf", "-o", copy, `${nginx}/app.db`]));
    rmSync(copy);
    settleDisk();
    seconds.curl.push(timeCommand("curl", ["-sf", "-o", copy, latest]));
    rmSync(copy);
    const asPacked = await bootstrap({ cli: compiled });
    seconds.start.push(asPacked.start);
    seconds.image.push(asPacked.all - asPacked.start);
    memoryBytes.compiled = Math.max(memoryBytes.compiled, asPacked.bytes);
    const asSource = await bootstrap({});
    seconds.source.push(asSource.all);
    memoryBytes.source = Math.max(memoryBytes.source, asSource.bytes);
  }
  const rate = (name: Measured): number => sizeBytes / median(seconds[name]) / 1e6;
  const row = (what: string, name: Measured): Record<string, string | number> => ({
    what,
    seconds: rounded(median(seconds[name])),
    megabytesPerSecond: rounded(rate(name)),
    ratio: rounded(rate(name) / rate("nginx")),
  });
  return {
    rows: [
      row("nginx by curl (baseline)", "nginx"),
      row("GET /snapshot/latest by curl", "curl"),
      row("replica, compiled: from its address to ready", "image"),
      {
        ...row("replica, compiled: process start to its address", "start"),
        megabytesPerSecond: "",
        ratio: "",
      },
      row("replica from .ts: process start to ready", "source"),
    ],
    figures: {
      sizeBytes,
      bootstrapRatio: rounded(rate("image") / rate("nginx")),
      startSeconds: rounded(median(seconds.start)),
      downloadRatio: rounded(rate("curl") / rate("nginx")),
      replicaPeakMemoryBytes: memoryBytes.compiled,
      replicaFromSourcePeakMemoryBytes: memoryBytes.source,
      primaryPeakMemoryBytes: peakMemoryBytes(primary.pid),
      takeSnapshotSeconds: rounded(snapshotSeconds),
      digestSeconds: rounded(digestSeconds),
    },
  };
}

export const bench: Bench = {
  question:
    "How fast does a replica come up from a large snapshot, against a plain static download of the same file?",
  run,
};
