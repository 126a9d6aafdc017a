import { readFileSync, readdirSync, mkdtempSync, rmSync, rmdirSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

const WAIT_MS = 10;
const MAX_WAITS = 500;

/**
 * A folder for all that a tool and its processes make in the folder for temporary files. Told to end early (SIGINT,
 * SIGTERM) the tool does it at once: its processes are killed, `say` tells what there was so far, the folder goes, and
 * the exit code is the shell's for that signal. Otherwise the folder stays where something was left in it on purpose.
 *
 * @param base where it is made: in memory, or tmpdir(). That of a tool that was started by a tool is in the other's folder
 * @returns the folder
 */
export function endsEarly(name: string, base: string, say: (signal: string) => void): string {
  const isWithin = process.env["TMPDIR"]?.startsWith(`${base}/`) === true;
  const folder = mkdtempSync(join(isWithin ? tmpdir() : base, `tailrace-${name}-`));
  process.env["TMPDIR"] = folder;
  process.once("exit", () => removeIfEmpty(folder));
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      killDescendants();
      try {
        say(signal);
      } finally {
        unmountBelow(folder);
        rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
        process.exit(128 + constants.signals[signal]);
      }
    });
  return folder;
}

/** Stopped first, so that none begins another while they are looked for. All that runs here waits until they are gone. */
function killDescendants(): void {
  const found = new Set<number>();
  for (let fresh = descendants(found); fresh.length > 0; fresh = descendants(found))
    for (const pid of fresh) {
      found.add(pid);
      signalIfThere(pid, "SIGSTOP");
    }
  for (const pid of found) signalIfThere(pid, "SIGKILL");
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waits = 0; waits < MAX_WAITS && [...found].some(isRunning); waits++)
    Atomics.wait(sleeper, 0, 0, WAIT_MS);
}

/** Those that run, but for those known, whose own are looked for as well. */
function descendants(known: ReadonlySet<number>): readonly number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const parents = new Map(pids.map((pid) => [Number(pid), statusOf(Number(pid))?.parent]));
  const isOurs = (pid: number | undefined): boolean =>
    pid !== undefined && (parents.get(pid) === process.pid || isOurs(parents.get(pid)));
  return [...parents.keys()].filter((pid) => !known.has(pid) && isOurs(pid) && isRunning(pid));
}

function isRunning(pid: number): boolean {
  const state = statusOf(pid)?.state;
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Undefined when it is gone. */
function statusOf(pid: number): { readonly state: string; readonly parent: number } | undefined {
  try {
    const [, state, parent] = /^.*\) (\w) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "latin1")) ?? [];
    return state === undefined ? undefined : { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

/** Lazily: a process that was killed may still be on its way out. */
function unmountBelow(folder: string): void {
  const mounted = readFileSync("/proc/self/mounts", "utf8").split("\n");
  for (const line of mounted) {
    const [, path = ""] = line.split(" ");
    if (path.startsWith(`${folder}/`)) execFileSync("umount", ["-l", path]);
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Gone already, or something is kept in it.
  }
}
