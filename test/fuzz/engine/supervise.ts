import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { MARK_BYTES } from "./run.ts";
import type { Counts, Found, Run, Told } from "./run.ts";
import type { Target } from "./target.ts";

/** In memory, where that can be. */
export const FOLDERS: string = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

const RUNNER = fileURLToPath(new URL("runner.ts", import.meta.url));
/** Of the whole process, beyond what it had at a target's first input: V8 lets its heap come near {@link MAX_HEAP_MIB}. */
const MAX_GROWTH_BYTES = 256 << 20;
const MAX_HEAP_MIB = 192;
const LOOK_MS = 100;
/** Of processor time, before the first input of a target: compiling, and making its seeds. */
const OPENING_MS = 30_000;
/** So much longer may it take by the clock: a machine that has other things to do is no hang. */
const PATIENCE = 60;
/** The processor's time is told in hundredths of a second. */
const TICK_MS = 10;
/** Of one target. */
const MAX_RESTARTS = 3;

export interface Supervised {
  readonly findings: Found[];
  readonly counts: Counts[];
}

export type Wanted = Pick<Run, "seed" | "minutes" | "inputs" | "isShort">;

/**
 * Runs the targets in a process of their own, which is ended when it hangs or grows too large, and begun again after that input.
 *
 * @param found takes everything at once
 */
export async function supervise(
  targets: readonly Target[],
  wanted: Wanted,
  found: Supervised = { findings: [], counts: [] },
): Promise<Supervised> {
  const folder = mkdtempSync(join(tmpdir().startsWith(FOLDERS) ? tmpdir() : FOLDERS, "tailrace-fuzz-"));
  try {
    let left = targets;
    let first = 0;
    let restarts = 0;
    while (left.length > 0) {
      const stoppedAt = await watch(left, { ...wanted, first }, { folder, found });
      if (stoppedAt === undefined) break;
      const { target, index, problem } = stoppedAt;
      found.findings.push({ kind: "finding", target, from: `seed ${wanted.seed}, input ${index}`, problem });
      restarts = left[0]?.name === target ? restarts + 1 : 1;
      left = left.slice(left.findIndex(({ name }) => name === target));
      first = index + 1;
      // Nothing goes on without its seeds, or with an input of the corpus that hangs.
      if (index < 0 || restarts === MAX_RESTARTS) {
        left = left.slice(1);
        first = 0;
        restarts = 0;
      }
    }
    return found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Stopped {
  readonly target: string;
  readonly index: number;
  readonly problem: string;
}

/** @returns where its process was ended; undefined: it came to its end */
async function watch(
  targets: readonly Target[],
  wanted: Partial<Run>,
  { folder, found }: { readonly folder: string; readonly found: Supervised },
): Promise<Stopped | undefined> {
  const markFile = join(folder, "mark");
  writeFileSync(markFile, Buffer.alloc(MARK_BYTES));
  const mark = openSync(markFile, "r");
  const run = { ...wanted, targets: targets.map(({ name }) => name), folder, markFile };
  const argv = [`--max-old-space-size=${MAX_HEAP_MIB}`, "--expose-gc", RUNNER, JSON.stringify(run)];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
  createInterface(child.stdout).on("line", (line) => {
    const told = JSON.parse(line) as Told;
    if (told.kind === "finding") found.findings.push(told);
    else found.counts.push(told);
  });
  let stderr = "";
  child.stderr.on("data", (text: Buffer) => (stderr = (stderr + text.toString()).slice(-2_000)));
  let last = "";
  let since = { ms: performance.now(), cpuMs: 0 };
  let opened = { target: "", residentBytes: Infinity };
  let problem: string | undefined;
  const looking = setInterval(() => {
    const { target, index } = readMark(mark);
    const at = `${target} ${index}`;
    const now = { ms: performance.now(), cpuMs: cpuMsOf(child.pid!) };
    if (at !== last) since = now;
    last = at;
    const known = targets.find(({ name }) => name === target);
    const limitMs = index === -1 || known === undefined ? OPENING_MS : known.maxMs;
    const residentBytes = residentOf(child.pid!);
    if (index >= 0 && target !== opened.target) opened = { target, residentBytes };
    if (residentBytes - opened.residentBytes > MAX_GROWTH_BYTES)
      problem ??= `grew from ${opened.residentBytes >> 20} to ${residentBytes >> 20} MiB`;
    else if (now.cpuMs - since.cpuMs > limitMs || now.ms - since.ms > limitMs * PATIENCE)
      problem ??= `hangs: not over after ${limitMs} ms`;
    if (problem !== undefined) child.kill("SIGKILL");
  }, LOOK_MS);
  const [code] = await new Promise<[number | null]>((resolve) =>
    child.on("close", (ended) => resolve([ended])),
  );
  clearInterval(looking);
  const { target, index } = readMark(mark);
  closeSync(mark);
  if (code === 0) return undefined;
  problem ??= `the process died: ${stderr.trim()}`;
  return { target: target || targets[0]!.name, index, problem };
}

function readMark(descriptor: number): { readonly target: string; readonly index: number } {
  const bytes = Buffer.alloc(MARK_BYTES);
  readSync(descriptor, bytes, 0, MARK_BYTES, 0);
  return { index: bytes.readDoubleLE(0), target: bytes.toString("utf8", 8).replaceAll("\0", "") };
}

/** In user and in system mode; 0 when it is gone. */
function cpuMsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0;
  }
}

/** 0 when it is gone. */
function residentOf(pid: number): number {
  try {
    const [, kib = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kib) * 1024;
  } catch {
    return 0;
  }
}
