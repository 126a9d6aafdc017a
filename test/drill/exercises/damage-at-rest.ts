import { readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Chance } from "../../harness/seed.ts";
import type { Exercise } from "../exercise.ts";

export const damageAtRest: Exercise = {
  name: "damage-at-rest",
  what: "a log or snapshot file of the primary is truncated or has a bit flipped, while it is down or runs; then a newcomer begins, and one that was away comes back",
  async run(cluster, chance) {
    const { primary, replicas } = cluster;
    const away = replicas[chance.integer(0, 1)]!;
    await away.kill();
    await cluster.commits(40);
    const isDown = chance.integer(0, 1) === 0;
    if (isDown) await primary.kill();
    damageOneOf(join(primary.dataDir, chance.integer(0, 1) === 0 ? "log" : "snapshots"), chance);
    if (isDown) await primary.start();
    await cluster.commits(20);
    await away.start();
    const newcomer = replicas[2];
    await cluster.readers.stop(newcomer);
    await newcomer.kill();
    newcomer.removeFiles();
    await newcomer.start();
    await cluster.catchesUp(newcomer);
    await cluster.readers.start();
  },
};

function damageOneOf(folder: string, chance: Chance): void {
  const files = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).size > 0);
  if (files.length === 0) return;
  const path = files[chance.integer(0, files.length - 1)]!;
  const bytes = readFileSync(path);
  const place = chance.integer(0, bytes.length - 1);
  if (chance.integer(0, 2) === 0) {
    truncateSync(path, place);
    return;
  }
  bytes[place]! ^= 1 << chance.integer(0, 7);
  writeFileSync(path, bytes);
}
