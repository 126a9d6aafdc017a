import { shell } from "../../harness/shell.ts";
import type { Exercise } from "../exercise.ts";
import { putInPlace } from "../restored-backup.ts";

export const restoreStopped: Exercise = {
  name: "restore-stopped",
  what: "the primary's database is replaced by an older backup of it while the primary is down, and may be written to before it is up",
  takesBack: true,
  async run(cluster, chance) {
    const { primary, writers } = cluster;
    shell(primary.file, `.backup '${primary.file}.backup'`);
    await cluster.commits(chance.integer(10, 80));
    if (chance.integer(0, 1) === 0) await primary.kill();
    else await primary.stop();
    await writers.stop();
    putInPlace(cluster);
    const isWrittenBefore = chance.integer(0, 1) === 0;
    if (isWrittenBefore) {
      await writers.start();
      await cluster.commits(chance.integer(1, 60));
    }
    await primary.start();
    await writers.start();
    await cluster.commits(10);
  },
};
