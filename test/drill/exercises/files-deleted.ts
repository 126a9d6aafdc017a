import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
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
      rmSync(path, { recursive: true, force: true });
    await cluster.commits(40);
    if (chance.integer(0, 1) === 0) {
      await node.kill();
      node.launch();
    }
    await pause(PATIENCE_MS);
    const isOver = await cluster.catchesUp(node, PATIENCE_MS).then(
      () => node.isRunning,
      () => false,
    );
    if (!isOver) {
      if (node.isRunning) await node.kill();
      node.removeFiles();
      await node.start();
      await cluster.catchesUp(node);
    }
    await cluster.readers.start();
  },
};
