import type { Chance } from "../../harness/seed.ts";
import type { Exercise } from "../exercise.ts";
import type { Fault } from "../faulty-proxy.ts";

export const network: Exercise = {
  name: "network",
  what: "what lies between nodes cuts connections, stalls, throttles, flips bits; one after the other",
  async run(cluster, chance) {
    for (let round = 0; round < 4; round++) {
      for (const proxy of cluster.proxies) proxy.set(faultOf(chance));
      await cluster.commits(25);
    }
    for (const proxy of cluster.proxies) proxy.set({ kind: "none" });
  },
};

function faultOf(chance: Chance): Fault {
  switch (chance.integer(0, 4)) {
    case 0:
      return { kind: "cut" };
    case 1:
      return { kind: "stall" };
    case 2:
      return { kind: "throttle", bytesPerSecond: chance.integer(10_000, 500_000) };
    case 3:
      return { kind: "corrupt", oneIn: chance.integer(1, 20), chance };
    default:
      return { kind: "none" };
  }
}
