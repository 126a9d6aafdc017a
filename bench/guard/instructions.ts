import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../programs/guarded-work.ts", import.meta.url));
const EVENTS = "instructions:u,instructions:k";

/** What one run of bench/programs/guarded-work.ts cost. */
export interface Cost {
  /** Of the whole process with all its threads, in the kernel as well; undefined where this machine cannot count them. */
  readonly instructions: number | undefined;
  /** Of the work itself, as the thread that does it sees it. */
  readonly tookMs: number;
}

/** Whether this machine counts instructions: virtual ones often do not, and `perf` is not everywhere. */
export function canCountInstructions(): boolean {
  const { status, stderr } = spawnSync("perf", ["stat", "-x,", "-e", EVENTS, "true"], { encoding: "utf8" });
  return status === 0 && sumOf(stderr) !== undefined;
}

/** Runs the program to its end. @throws when it fails */
export function costOf(argv: readonly string[], isCounting: boolean): Cost {
  const command = [process.execPath, PROGRAM, ...argv];
  if (!isCounting) {
    const printed = execFileSync(command[0]!, command.slice(1), { encoding: "utf8" });
    return { instructions: undefined, tookMs: tookMs(printed) };
  }
  const counted = spawnSync("perf", ["stat", "-x,", "-e", EVENTS, "--", ...command], { encoding: "utf8" });
  if (counted.status !== 0) throw new Error(counted.stderr);
  return { instructions: sumOf(counted.stderr), tookMs: tookMs(counted.stdout) };
}

function tookMs(printed: string): number {
  return (JSON.parse(printed) as { tookMs: number }).tookMs;
}

/** Of both lines; undefined where one was not counted. */
function sumOf(report: string): number | undefined {
  const counts = [...report.matchAll(/^(\d+),,instructions:[uk]/gm)].map(([, count]) => Number(count));
  return counts.length === 2 ? counts[0]! + counts[1]! : undefined;
}
