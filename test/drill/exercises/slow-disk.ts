import type { Exercise } from "../exercise.ts";
import { Injection } from "../injection.ts";

export const slowDisk: Exercise = {
  name: "slow-disk",
  what: "each fsync of a node takes up to 0.4 s, for as long as 80 commits take",
  lacks: () => Injection.lacks(),
  async run(cluster, chance) {
    const node = cluster.nodes[chance.integer(0, 3)]!;
    const delayUs = chance.integer(20_000, 400_000);
    const injection = await Injection.into(node, "fsync,fdatasync", `delay_enter=${delayUs}`);
    try {
      await cluster.commits(80);
    } finally {
      await injection.end();
    }
  },
};
