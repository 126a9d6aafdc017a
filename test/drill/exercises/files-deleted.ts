import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DrillNode } from "../drill-node.ts";
import type { Exercise } from "../exercise.ts";

const PARTS: readonly ((node: DrillNode) => readonly string[])[] = [
  ({ file }) => [file],
  ({ file }) => [`${file}-wal`],
  ({ file }) => [`${file}-shm`],
  ({ file }) => [file, `${file}-wal`, `${file}-shm`],
  ({ dataDir }) => [dataDir],
  ({ dataDir }) => [join(dataDir, "position")],
  ({ dataDir }) => [join(dataDir, "log")],
  ({ dataDir }) => [join(dataDir, "pages.sum")],
];
const PATIENCE_MS = 5000;

export const filesDeleted: Exercise = {
  name: "files-deleted",
  what: "one of a replica's files, or its data folder, is deleted while it runs; if it does not get over that, it begins anew, as an operator would do",
  async run(cluster, chance) {
    const node = cluster.replicas[chance.integer(0, 2)]!;
    // What SQLite makes of a database whose WAL is gone is nobody's promise.
    await cluster.readers.stop(node);
    for (const path of PARTS[chance.integer(0, PARTS.length - 1)]!(node))
      rmSync(path, { recursive: true, force: true, maxRetries: 20 });
    await cluster.commits(40);
    // It may notice at once. What it does not notice shows in its next life, and not in a later exercise.
    await cluster.catchesUp(node, PATIENCE_MS).catch(() => {});
    await node.kill();
    node.launch();
    // Its database may have caught up in the life before: whether this one is there is for the node to say.
    const isOver = await node.process
      .ready(PATIENCE_MS)
      .then(async () => await cluster.catchesUp(node, PATIENCE_MS))
      .then(
        () => node.isRunning,
        () => false,
      );
    if (isOver) {
      await node.arrive();
    } else {
      if (node.isRunning) await node.kill();
      node.removeFiles();
      await node.start();
      await cluster.catchesUp(node);
    }
    await cluster.readers.start();
  },
};
