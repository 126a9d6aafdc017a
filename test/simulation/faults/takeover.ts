import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Random } from "../core/random.ts";
import type { Disk } from "../disk/disk.ts";
import { LogFiles } from "../world/log-files.ts";
import type { World } from "../world/world.ts";
import { fault } from "./action.ts";
import type { Action } from "./action.ts";

/** Files by their paths. */
type Copy = ReadonlyMap<string, Buffer>;

/** Of virtual time, as the one and as the other. */
const MOST_MS = 6_000;

/** Another primary takes over the history, under the same address; the one before comes back, for a while. */
export const takeoverFaults: Readonly<Record<string, Action>> = {
  takeover: fault(0.5, (world, random) => {
    const { primary } = world;
    // Without a log there is no history yet that another could take over.
    if (primary.isStale || world.hasTakenOver || !existsSync(metaFile(world))) return;
    world.hasTakenOver = true;
    world.counts.add("takeovers");
    halt(world);
    const before = copyOf(primary.machine.folder);
    raiseEpoch(world);
    world.resume(random.float() * 1_000);
    world.after(random.float() * MOST_MS, "the old primary returns", () => comeBack(world, random, before));
  }),
};

function comeBack(world: World, random: Random, before: Copy): void {
  if (world.isClosing || world.isCalm) return;
  const { primary } = world;
  halt(world);
  const present = copyOf(primary.machine.folder);
  const presentLogId = readLogId(primary.log.folder);
  restore(primary.machine.disk, before);
  primary.forget();
  primary.isStale = true;
  world.counts.add("stale primaries");
  primary.faults.add("stale primary");
  // Its successor has begun a new log since.
  if (readLogId(primary.log.folder) !== presentLogId) primary.faults.add("another log of a stale primary");
  world.endStale = () => {
    world.endStale = undefined;
    halt(world);
    restore(primary.machine.disk, present);
    primary.forget();
    primary.isStale = false;
    world.resume(random.float() * 1_000);
  };
  primary.restartMs = 0;
  primary.node.start();
  world.after(random.float() * MOST_MS, "the old primary goes", () => world.endStale?.());
}

/** Nothing runs on the primary's machine. */
function halt(world: World): void {
  const { primary } = world;
  world.application.kill();
  primary.closeReaders();
  primary.restartMs = Number.POSITIVE_INFINITY;
  primary.node.kill();
}

function readLogId(folder: string): string | undefined {
  const log = new LogFiles(folder);
  log.refresh();
  return log.logId;
}

function metaFile({ primary }: World): string {
  return join(primary.dataDir, "meta.json");
}

function raiseEpoch(world: World): void {
  const { primary } = world;
  const file = metaFile(world);
  const meta = JSON.parse(readFileSync(file, "utf8")) as { epoch: number };
  primary.machine.disk.overwrite(file, Buffer.from(JSON.stringify({ ...meta, epoch: meta.epoch + 1 })));
}

/** All but what is memory. */
function copyOf(folder: string): Copy {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith("-shm"))
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.map((path) => [path, readFileSync(path)]));
}

/** Files that are there keep their inode, as seen from processes: it is the same database. */
function restore(disk: Disk, copy: Copy): void {
  const entries = readdirSync(disk.folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !copy.has(path)) disk.remove(path);
  }
  for (const [path, bytes] of copy) {
    const file = disk.findFile(path);
    if (file === undefined) {
      mkdirSync(dirname(path), { recursive: true });
      disk.replaceFile(path, bytes);
      continue;
    }
    // Another file for SQLite, which would otherwise go by what it knows of this one.
    rmSync(path);
    writeFileSync(path, bytes);
    file.settle(bytes);
    file.realInode = statSync(path).ino;
  }
}
