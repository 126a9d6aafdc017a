import { DatabaseSync } from "node:sqlite";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { until } from "../test/harness/node-process.ts";
import { appendRandom, createLargeDatabase } from "./harness/databases.ts";
import { median, rounded } from "./harness/result.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { Workspace, settleDisk, timeCommand } from "./harness/workspace.ts";

const BACKLOG_BYTES = Number(process.env["BENCH_MIB"] ?? 512) << 20;
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);
const LIMIT_MS = 300_000;

/**
 * A backlog of new pages: one MiB a transaction, no page twice, so that merging saves nothing. Timed are its parts by
 * themselves, and a replica that was away and comes back to it: fetching over HTTP, checking, keeping the log copy,
 * applying, publishing, and the checkpoints beside it. The start of a process is in none of them (bootstrap.ts has that).
 */
async function run(): Promise<BenchResult> {
  await using space = new Workspace();
  const file = space.path("app.db");
  createLargeDatabase(file, 1 << 20);
  const primary = await space.serve(["primary", file, "--durability", "os"]);
  const replica = async (mode: "follow" | "parts", name: string = mode): Promise<Record<string, number>> => {
    const program = space.program("backlog", [mode, primary.url, space.path(`${name}.db`)]);
    const [line] = await program.waitFor(/^\{.*\}$/m, LIMIT_MS);
    await program.exited;
    return JSON.parse(line) as Record<string, number>;
  };
  const rates: Record<"copy" | "fetch" | "apply" | "follow", number[]> = {
    copy: [],
    fetch: [],
    apply: [],
    follow: [],
  };
  let memoryBytes = 0;
  // From here on they only catch up.
  await replica("follow");
  await replica("follow", "parts");
  for (let round = 0; round < ROUNDS; round++) {
    const application = new DatabaseSync(file, { timeout: 10_000 });
    application.exec("PRAGMA synchronous=OFF");
    appendRandom(application, BACKLOG_BYTES);
    application.close();
    await until("capture is idle", () => logBytes(file), settled(), LIMIT_MS);
    settleDisk();
    rates.copy.push(copyRate(space, join(`${file}-tailrace`, "log")));
    settleDisk();
    const parts = await replica("parts");
    const megabytes = parts["bytes"]! / 1e6;
    rates.fetch.push(megabytes / parts["fetchSeconds"]!);
    rates.apply.push(megabytes / parts["applySeconds"]!);
    settleDisk();
    const { followSeconds, memoryBytes: peakBytes } = await replica("follow");
    rates.follow.push(megabytes / followSeconds!);
    memoryBytes = Math.max(memoryBytes, peakBytes!);
  }
  const rate = (name: keyof typeof rates): number => median(rates[name]);
  const row = (what: string, name: keyof typeof rates): Record<string, string | number> => ({
    what,
    megabytesPerSecond: rounded(rate(name)),
    ratio: rounded(rate(name) / rate("copy")),
  });
  return {
    rows: [
      row("cp of the log segments (baseline)", "copy"),
      row("fetching alone: HTTP to the log copy", "fetch"),
      row("applying alone: log copy to the database", "apply"),
      row("catching up: both, and the checkpoints", "follow"),
    ],
    figures: {
      backlogBytes: BACKLOG_BYTES,
      applyMegabytesPerSecond: rounded(rate("apply")),
      applyRatio: rounded(rate("apply") / rate("copy")),
      fetchRatio: rounded(rate("fetch") / rate("copy")),
      catchUpMegabytesPerSecond: rounded(rate("follow")),
      catchUpRatio: rounded(rate("follow") / rate("copy")),
      catchUpPeakMemoryBytes: memoryBytes,
    },
  };
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
