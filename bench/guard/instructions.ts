import { execFileSync, spawnSync } from "node:child_process";
import type { SpawnSyncReturns } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../programs/guarded-work.ts", import.meta.url));
/** Those in the kernel depend on what else the machine does, and often not everybody may count them. */
const EVENT = "instructions:u";

/** V8 compiles and collects on the thread that is counted: on threads of its own it is chance what becomes of it in time. */
const ALL_IN_ONE_THREAD = "--single-threaded";

/** What the programs are known by that may be missing. */
const PACKAGES: Readonly<Record<string, string>> = { mkfifo: "mkfifo (of GNU coreutils)" };

/** What may be measured of a work: the instructions of the thread that does it, whatever else runs; or how long it took. */
export type Measure = "instructions" | "time";

/** Why this machine does not count instructions; undefined where it does. Virtual ones often do not, and perf is not everywhere. */
export function whyNotCounted(): string | undefined {
  try {
    const { error, status, stderr } = counting(["true"], []);
    if (error !== undefined) throw error;
    return countIn(stderr) === undefined ? `perf (exit ${status}) says: ${stderr.trim()}` : undefined;
  } catch (error) {
    const { code, message, path = "" } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? `${PACKAGES[path] ?? path} is not installed` : message;
  }
}

/** Runs bench/programs/guarded-work.ts to its end. @throws when it fails */
export function costOf(argv: readonly string[], measure: Measure): number {
  const work = [PROGRAM, ...argv];
  if (measure === "time") {
    const printed = execFileSync(process.execPath, work, { encoding: "utf8" });
    return (JSON.parse(printed) as { tookMs: number }).tookMs;
  }
  // Nothing counts before the program says so.
  const { error, status, stderr } = counting([process.execPath, ALL_IN_ONE_THREAD, ...work], ["-D", "-1"]);
  const count = countIn(stderr);
  if (error !== undefined || status !== 0 || count === undefined) throw error ?? new Error(stderr);
  return count;
}

/** Of the command's first thread alone. */
function counting(command: readonly string[], options: readonly string[]): SpawnSyncReturns<string> {
  const folder = mkdtempSync(join(tmpdir(), "tailrace-guard-"));
  try {
    const pipes = [join(folder, "commands"), join(folder, "answers")];
    execFileSync("mkfifo", pipes);
    const control = pipes.join(",");
    const argv = ["stat", "-i", "-x,", "-e", EVENT, "--control", `fifo:${control}`, ...options, "--"];
    const env = { ...process.env, GUARD_CONTROL: control };
    return spawnSync("perf", [...argv, ...command], { encoding: "utf8", env });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function countIn(report: string): number | undefined {
  const [, count] = /^(\d+),,instructions:u/m.exec(report) ?? [];
  return count === undefined ? undefined : Number(count);
}
