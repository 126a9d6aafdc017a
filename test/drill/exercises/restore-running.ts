import { shell } from "../../harness/shell.ts";
import type { Exercise } from "../exercise.ts";
import { putInPlace } from "../restored-backup.ts";

export const restoreRunning: Exercise = {
  name: "restore-running",
  what: "the primary's database is replaced by an older backup of it while the primary runs",
  takesBack: true,
  async run(cluster, chance) {
    const { file } = cluster.primary;
    shell(file, `.backup '${file}.backup'`);
    await cluster.commits(chance.integer(10, 80));
    await cluster.writers.stop();
    putInPlace(cluster);
    await cluster.writers.start();
    await cluster.commits(chance.integer(1, 60));
  },
};
