import type { Random } from "../core/random.ts";
import type { World } from "../world/world.ts";
import { fault, use } from "./action.ts";
import type { Action } from "./action.ts";
import { downMs } from "./process-faults.ts";

const SUFFIXES = ["", "-wal", "-shm"];

/** What people do to files. */
export const fileFaults: Readonly<Record<string, Action>> = {
  backup: use(1, (world) => {
    const { image } = world.primary;
    if (image.refresh()) world.backups.push(Buffer.from(image.pages));
  }),
  "files deleted": fault(0.7, (world, random) => {
    const site = random.pick(world.replicas);
    if (site === undefined) return;
    site.faults.add("files deleted");
    world.counts.add("replicas' files deleted");
    site.closeReaders();
    site.isReadable = false;
    site.isFresh = true;
    for (const suffix of SUFFIXES) site.machine.disk.remove(`${site.file}${suffix}`);
    world.checks.forgot(site, "database");
  }),
  "folder deleted": fault(0.4, (world, random) => {
    const site = random.pick(world.replicas);
    if (site === undefined) return;
    site.faults.add("folder deleted");
    world.counts.add("replicas' folders deleted");
    site.restartMs = downMs(world, random);
    world.removeReplica(site);
  }),
  restore: fault(0.5, restore),
  "foreign write": fault(0.3, (world, random) => {
    const site = random.pick(world.replicas);
    if (site === undefined || !site.isReadable) return;
    site.faults.add("foreign write");
    world.counts.add("foreign writes");
    site.isForeign = true;
    world.writeForeign(site, `UPDATE progress SET step = -${1 + random.int(1000)}`);
  }),
};

/** The primary's database is exchanged for an older copy, while nobody has it open, or under the node. */
function restore(world: World, random: Random): void {
  if (world.backups.length === 0 || world.primary.isStale) return;
  const bytes = random.pick(world.backups);
  world.primary.faults.add("restore");
  world.counts.add("primaries restored");
  world.application.stop();
  const { primary } = world;
  if (random.chance(0.5)) world.kill(primary, downMs(world, random));
  primary.closeReaders();
  const { disk } = primary.machine;
  for (const suffix of ["-wal", "-shm"]) disk.remove(`${primary.file}${suffix}`);
  disk.replaceFile(primary.file, bytes);
  primary.image.forget();
  world.application.restored();
  world.after(200 + random.int(3_000), "application starts", () => world.startApplication());
}
