import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem, type } from "node:os";
import type { Machine } from "./result.ts";

export function describeMachine(): Omit<Machine, "loadAfter"> {
  const columns = execFileSync("df", ["--output=fstype", tmpdir()], { encoding: "utf8" });
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    fileSystem: columns.trim().split("\n").at(-1)!,
    node: process.version,
    loadBefore: loadavg(),
  };
}
