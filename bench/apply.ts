import { DatabaseSync } from "node:sqlite";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../test/harness/node-process.ts";
import { appendRandom, createLargeDatabase } from "./harness/databases.ts";
import { peakMemoryBytes } from "./harness/process-usage.ts";
import { median, rounded } from "./harness/result.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { Workspace, settleDisk, timeCommand } from "./harness/workspace.ts";

const BACKLOG_BYTES = Number(process.env["BENCH_MIB"] ?? 512) << 20;
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);
const CATCH_UP_LIMIT_MS = 300_000;
const LOOK_MS = 2;

/**
 * A replica that was away comes back to a backlog of new pages: one MiB a transaction, no page twice, so that merging
 * saves nothing. What is timed is all of it: fetching over HTTP, checking, keeping the log copy, applying, publishing.
 */
async function run(): Promise<BenchResult> {
  await using space = new Workspace();
  const file = space.path("app.db");
  const edge = space.path("edge.db");
  createLargeDatabase(file, 1 << 20);
  const primary = await space.serve(["primary", file, "--durability", "os"]);
  const rates: number[] = [];
  const copyRates: number[] = [];
  let memoryBytes = 0;
  let replica = await space.serve(["replica", primary.url, edge, "--durability", "os"]);
  for (let round = 0; round < ROUNDS; round++) {
    await caughtUp(file, edge);
    await replica.stop();
    const application = new DatabaseSync(file, { timeout: 10_000 });
    application.exec("PRAGMA synchronous=OFF");
    appendRandom(application, BACKLOG_BYTES);
    const rows = Number(application.prepare("SELECT count(*) AS n FROM large").get()!["n"]);
    application.close();
    await until("capture is idle", () => logBytes(file), settled(), CATCH_UP_LIMIT_MS);
    settleDisk();
    const log = join(`${file}-tailrace`, "log");
    copyRates.push(copyRate(space, log));
    settleDisk();
    replica = await space.launch(["replica", primary.url, edge, "--durability", "os"]);
    const start = performance.now();
    const reader = new DatabaseSync(edge, { readOnly: true });
    const count = reader.prepare("SELECT max(id) AS n FROM large");
    const before = Number(count.get()!["n"]);
    const deadline = start + CATCH_UP_LIMIT_MS;
    while (Number(count.get()!["n"]) < rows) {
      if (performance.now() > deadline) throw new Error("the replica does not catch up");
      await pause(LOOK_MS);
    }
    // What was applied before the first look is not counted as applied in the time after it.
    rates.push(((rows - before) * (1 << 20)) / ((performance.now() - start) / 1000) / 1e6);
    reader.close();
    memoryBytes = Math.max(memoryBytes, peakMemoryBytes(replica.pid));
  }
  const [rate, copied] = [median(rates), median(copyRates)];
  return {
    rows: [
      { what: "cp of the log segments (baseline)", megabytesPerSecond: rounded(copied), ratio: 1 },
      { what: "replica catches up", megabytesPerSecond: rounded(rate), ratio: rounded(rate / copied) },
    ],
    figures: {
      backlogBytes: BACKLOG_BYTES,
      applyMegabytesPerSecond: rounded(rate),
      applyRatio: rounded(rate / copied),
      replicaPeakMemoryBytes: memoryBytes,
    },
  };
}

function newestRow(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    return Number(database.prepare("SELECT max(id) AS n FROM large").get()!["n"]);
  } finally {
    database.close();
  }
}

async function caughtUp(file: string, edge: string): Promise<void> {
  const goal = newestRow(file);
  await until(
    "replica has caught up",
    () => newestRow(edge),
    (n) => n >= goal,
    CATCH_UP_LIMIT_MS,
  );
}

function logBytes(file: string): number {
  const folder = join(`${file}-tailrace`, "log");
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** True once the value has been the same, and not small, for ten looks. */
function settled(): (value: number) => boolean {
  let [last, times] = [0, 0];
  return (value) => {
    times = value === last ? times + 1 : 0;
    last = value;
    return times >= 10;
  };
}

function copyRate(space: Workspace, folder: string): number {
  const target = space.path("copy");
  const size = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const seconds = timeCommand("cp", ["-r", "--reflink=never", folder, target]);
  rmSync(target, { recursive: true });
  return size / seconds / 1e6;
}

export const bench: Bench = {
  question:
    "How fast does a replica apply a backlog in which no page comes twice, against cp of the same log?",
  run,
};
