import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";

/** Leaves a running process no descriptor but those that it has; undone by the call that it returns. */
export function takeDescriptors(pid: number): () => void {
  const used = readdirSync(`/proc/${pid}/fd`).map(Number);
  const set = (limit: string): void =>
    void execFileSync("prlimit", ["--pid", String(pid), `--nofile=${limit}:`]);
  const shown = ["--pid", String(pid), "--nofile", "--noheadings", "-o", "SOFT"];
  const [before] = execFileSync("prlimit", shown, { encoding: "utf8" }).split("\n");
  // The lowest that is free is the next one to be given out.
  set(String(Math.min(...[...Array(Math.max(...used) + 2).keys()].filter((fd) => !used.includes(fd)))));
  return () => set(before!.trim());
}
