import type { BigIntStats, Stats } from "node:fs";
import type { Disk } from "../disk/disk.ts";
import type { DiskFile } from "../disk/disk-file.ts";

/** File times advance in steps of the kernel's tick. */
const TICK_MS = 10;
const FOLDER_INODE = 2;

/** Makes what the real file system says of a file into what the simulated one says. */
export function dress<S extends Stats | BigIntStats>(stats: S, disk: Disk, file: DiskFile | undefined): S {
  const modifiedMs = tick(file?.modifiedMs ?? 0);
  const changedMs = tick(file?.changedMs ?? 0);
  const times = { atimeMs: modifiedMs, mtimeMs: modifiedMs, ctimeMs: changedMs, birthtimeMs: 0 };
  const numbers = { dev: disk.device, ino: file?.inode ?? FOLDER_INODE, ...times };
  if (typeof stats.ino === "number") return Object.assign(stats, numbers);
  const integers = Object.entries(numbers).map(([name, value]) => [name, BigInt(value)] as const);
  const nanoseconds = Object.entries(times).map(
    ([name, value]) => [name.replace("Ms", "Ns"), BigInt(value) * 1_000_000n] as const,
  );
  return Object.assign(stats, Object.fromEntries([...integers, ...nanoseconds]));
}

function tick(ms: number): number {
  return Math.floor(ms / TICK_MS) * TICK_MS;
}
