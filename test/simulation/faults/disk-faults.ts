import { statSync } from "node:fs";
import { join } from "node:path";
import type { FaultCode, FaultyWork } from "../disk/disk-faults.ts";
import type { Random } from "../core/random.ts";
import { namesIn, sizeOf } from "../world/read-file.ts";
import type { Site } from "../world/site.ts";
import type { World } from "../world/world.ts";
import { fault } from "./action.ts";
import type { Action } from "./action.ts";

/** What the system may say to what. */
const CODES: Readonly<Record<FaultyWork, readonly FaultCode[]>> = {
  open: ["EMFILE", "EACCES", "EIO"],
  read: ["EIO"],
  write: ["EIO", "ENOSPC"],
  sync: ["EIO", "ENOSPC"],
  rename: ["EIO", "EACCES", "ENOSPC"],
  remove: ["EIO", "EACCES"],
  mkdir: ["EIO", "EACCES", "ENOSPC"],
  sqlite: ["EIO", "ENOSPC"],
};
const WORKS = Object.keys(CODES) as readonly FaultyWork[];

/** Files of Tailrace's own in which a bit may flip: what the database itself holds has no second witness. */
const OWN_FILES = ["log", "snapshots", "pages.sum", "position", "replicas.json", "clean-close.json"];

/** Disks that refuse, fill up, and forget. */
export const diskFaults: Readonly<Record<string, Action>> = {
  "disk error": fault(3, (world, random) => {
    const site = begin(world, random, "disk error");
    const times = random.pick([1, 1, 3, 10]);
    const match = random.chance(0.75) ? site.dataDir : site.file;
    const work = random.pick(WORKS);
    site.machine.disk.faults.failNext(work, random.pick(CODES[work]), { times, match });
  }),
  "failing sync": fault(2, (world, random) => {
    const site = begin(world, random, "failing sync");
    site.machine.disk.faults.failNext("sync", "EIO", { times: 1 + random.int(3), match: site.dataDir });
  }),
  "disk full": fault(1, (world, random) => {
    const { disk } = begin(world, random, "disk full").machine;
    disk.faults.capacityBytes = disk.usedBytes + random.int(40_000);
    world.after(random.float() * 8_000, "room on the disk", () => {
      disk.faults.capacityBytes = Number.POSITIVE_INFINITY;
    });
  }),
  "read-only disk": fault(0.5, (world, random) => {
    const { disk } = begin(world, random, "read-only disk").machine;
    disk.faults.isReadOnly = true;
    world.after(random.float() * 4_000, "disk is writable", () => {
      disk.faults.isReadOnly = false;
    });
  }),
  flip: fault(1, (world, random) => {
    const site = begin(world, random, "flip");
    const paths = OWN_FILES.flatMap((name) => filesAt(join(site.dataDir, name)));
    if (paths.length === 0) return;
    const path = random.pick(paths);
    site.machine.disk.flipBit(path);
    world.checks.unverified.flipped(path);
    if (path.startsWith(site.log.folder) || path.endsWith("position")) site.isSpoilt = true;
    if (path === join(site.dataDir, "position")) world.checks.forgot(site, "position");
  }),
};

function begin(world: World, random: Random, kind: string): Site {
  world.counts.add(kind === "flip" ? "flipped bits" : "disk faults");
  const site = random.pick(world.sites);
  site.faults.add(kind);
  return site;
}

/** The file, or those in the folder, of that name. */
function filesAt(path: string): string[] {
  if (sizeOf(path) === undefined) return [];
  return statSync(path).isDirectory() ? namesIn(path).map((name) => join(path, name)) : [path];
}
