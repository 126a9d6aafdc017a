import type { Exercise } from "../exercise.ts";
import { Injection } from "../injection.ts";

const CALLS = ["fsync,fdatasync", "pwrite64", "pread64", "ftruncate", "openat", "rename"];

export const ioErrors: Exercise = {
  name: "io-errors",
  what: "a node's fsyncs, writes, reads … fail with EIO now and then; then, as an operator would do, it is started again",
  lacks: () => Injection.lacks(),
  async run(cluster, chance) {
    const node = cluster.nodes[chance.integer(0, 3)]!;
    const calls = CALLS[chance.integer(0, CALLS.length - 1)]!;
    const when = `${chance.integer(1, 20)}+${chance.integer(1, 10)}`;
    const injection = await Injection.into(node, calls, `error=EIO:when=${when}`);
    try {
      await cluster.commits(60);
    } finally {
      await injection.end();
    }
    if (node.isRunning) await node.kill();
    await node.start();
  },
};
