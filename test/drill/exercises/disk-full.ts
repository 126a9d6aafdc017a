import { SmallDisk } from "../../harness/small-disk.ts";
import type { Exercise } from "../exercise.ts";

export const diskFull: Exercise = {
  name: "disk-full",
  what: "the disk under the primary's data folder, or under a replica, fills up while commits go on; at times the node dies of kill -9 meanwhile",
  lacks: () => (SmallDisk.isAllowed ? null : "needs the right to mount a file system"),
  async run(cluster, chance) {
    const [node, disk] =
      chance.integer(0, 1) === 0
        ? [cluster.primary, cluster.disks!.primary]
        : [cluster.replicas[0], cluster.disks!.small];
    disk.fill(chance.integer(0, 1 << 18));
    try {
      await cluster.commits(60);
      if (chance.integer(0, 1) === 0) {
        await node.kill();
        node.launch();
        await cluster.commits(40);
      }
    } finally {
      disk.free();
    }
    await node.arrive();
  },
};
