import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { makeReadOnly } from "../../harness/read-only.ts";
import { SmallDisk } from "../../harness/small-disk.ts";
import type { DrillNode } from "../drill-node.ts";
import type { Exercise } from "../exercise.ts";

/** Below a replica's folder; on a file system that has such attributes. */
const PARTS = ["feeder.db", "feeder.db-wal", "feeder.db-tailrace/position", "feeder.db-tailrace/pages.sum"];

export const unwritable: Exercise = {
  name: "unwritable",
  what: "a data folder becomes read-only under a node (bind mount), or one of a replica's files immutable (chattr +i)",
  lacks: () => (SmallDisk.isAllowed ? null : "needs the right to mount a file system"),
  async run(cluster, chance) {
    const { nodes, replicas, folder } = cluster;
    const isFolder = chance.integer(0, 1) === 0;
    const node: DrillNode = isFolder ? nodes[chance.integer(0, 3)]! : replicas[1];
    const file = join(folder, PARTS[chance.integer(0, PARTS.length - 1)]!);
    const undo = (isFolder ? undefined : makeImmutable(file)) ?? makeReadOnly(node.dataDir);
    try {
      await cluster.commits(60);
    } finally {
      undo();
    }
    await node.arrive();
  },
};

/** @returns undefined where the file system knows no such attribute */
function makeImmutable(file: string): (() => void) | undefined {
  const { status } = spawnSync("chattr", ["+i", file]);
  return status === 0 ? () => void execFileSync("chattr", ["-i", file]) : undefined;
}
