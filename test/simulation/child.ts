import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { RunOptions, RunResult } from "./run.ts";
import { rangesText } from "./text.ts";

const REGISTER = new URL("register.ts", import.meta.url).href;
const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

/** In real time, on a machine that has much else to do: whoever takes longer hangs. */
const MAX_MS = 180_000;
const MAX_MS_PER_STEP = 30;

/** A run in a process of its own, so that none can leave anything behind for the next. */
export function runInChild(
  options: RunOptions,
  limitMs: number = MAX_MS + MAX_MS_PER_STEP * options.steps,
): Promise<RunResult> {
  const { seed, steps, withoutFaults, omitted, replicas, decisions } = options;
  const flags = ["--json", "--seed", seed, "--steps", String(steps)];
  if (withoutFaults) flags.push("--no-faults");
  if (omitted.length > 0) flags.push("--omit", rangesText(omitted));
  if (replicas !== undefined) flags.push("--replicas", String(replicas));
  if (decisions !== undefined) flags.push("--decisions", String(decisions));
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", REGISTER, MAIN, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-4000)));
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      try {
        resolve(JSON.parse(output) as RunResult);
      } catch {
        resolve(
          crashed(options, `the process ended with ${signal ?? code}: ${errors || output.slice(-2000)}`),
        );
      }
    });
  });
}

function crashed({ seed, steps }: RunOptions, text: string): RunResult {
  return {
    seed,
    steps,
    virtualMs: 0,
    realMs: 0,
    digest: "",
    counts: {},
    failure: { invariant: "Simulation", text, step: steps },
    lastLines: [],
    decisions: [],
  };
}
