import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { NOT_CAUGHT } from "./caught.ts";
import type { Cell } from "./caught.ts";

/** More than a test has in the suite; twice this fits into the limit of a fault. */
const TEST_LIMIT_MS = 50_000;
const MAX_CELL = 90;

export interface CheckOptions {
  /** Of the product. */
  readonly folder: string;
  /** What takes longer is ended, and has caught nothing: on a busy machine, time proves nothing. */
  readonly limitMs: number;
}

/** Always from the same seed, so that what is sound without a fault fails by the fault alone. */
export async function simulate(
  { seeds, steps }: { readonly seeds: number; readonly steps: number },
  options: CheckOptions,
): Promise<Cell> {
  const runs = ["--seed", "1", "--seeds", String(seeds), "--steps", String(steps), "--jobs", "2", "--first"];
  const { status, output } = await run(["npm", "run", "--silent", "sim", "--", ...runs], options);
  if (status === 0 || status === null) return NOT_CAUGHT;
  const [, seed, what] = /^FAILED seed (\S+), step \d+, invariant (.*)/m.exec(output) ?? [];
  return cell(seed === undefined ? `it does not run: ${output.trim()}` : `seed ${seed}: ${what}`);
}

/** A test that fails once only has met a busy machine, not a fault. */
export async function runTests(files: readonly string[], options: CheckOptions): Promise<Cell> {
  const report = join(options.folder, "mutants-report.json");
  rmSync(report, { force: true });
  const { status, output } = await run(
    [
      "npx",
      "vitest",
      "run",
      "--bail=1",
      "--retry=1",
      `--testTimeout=${TEST_LIMIT_MS}`,
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...files,
    ],
    options,
  );
  if (status === 0 || status === null) return NOT_CAUGHT;
  const failed = existsSync(report) ? failedTest(readFileSync(report, "utf8")) : undefined;
  return failed === undefined ? cell(`they do not run: ${output.trim()}`) : `“${cell(failed)}”`;
}

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

function failedTest(report: string): string | undefined {
  return (JSON.parse(report) as Report).testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === "failed")?.fullName;
}

function cell(what: string): Cell {
  const line = what.split("\n")[0]!;
  return line.length > MAX_CELL ? `${line.slice(0, MAX_CELL)}…` : line;
}

/** In a process group of its own: where it takes too long, all that it has started ends with it. */
async function run(
  [command, ...args]: readonly [string, ...string[]],
  { folder, limitMs }: CheckOptions,
): Promise<{ readonly status: number | null; readonly output: string }> {
  const child = spawn(command, args, {
    cwd: folder,
    // What it compiles goes with the folder.
    env: { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled") },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = (): void => void process.kill(-child.pid!, "SIGKILL");
  const timer = setTimeout(end, limitMs);
  const closed = once(child, "close") as Promise<[number | null]>;
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  clearTimeout(timer);
  return { status, output: `${stdout}\n${stderr}` };
}
