import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Exercise } from "../exercise.ts";

const LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

export const clockBack: Exercise = {
  name: "clock-back",
  what: "the clocks of nodes jump back by up to a day, and forth, while they run and between two of their lives (libfaketime)",
  lacks: () => (existsSync(LIBRARY) ? null : "needs libfaketime (Debian: apt-get install libfaketime)"),
  async run(cluster, chance) {
    const { nodes, folder } = cluster;
    const environments = nodes.map(({ name }) => environment(join(folder, `clock-${name}`)));
    const setClocks = (): void => {
      for (const { FAKETIME_TIMESTAMP_FILE: file } of environments) {
        const offsetSeconds = chance.integer(-86_400, 3600);
        writeFileSync(`${file}.new`, `${offsetSeconds < 0 ? "" : "+"}${offsetSeconds}\n`);
        renameSync(`${file}.new`, file);
      }
    };
    setClocks();
    for (const [index, node] of nodes.entries()) {
      await node.kill();
      await node.start(environments[index]);
    }
    for (let round = 0; round < 3; round++) {
      await cluster.commits(25);
      setClocks();
      const index = chance.integer(0, nodes.length - 1);
      await nodes[index]!.kill();
      await nodes[index]!.start(environments[index]);
    }
    for (const node of nodes) {
      await node.kill();
      await node.start();
    }
  },
};

function environment(file: string): { readonly FAKETIME_TIMESTAMP_FILE: string } & Record<string, string> {
  return {
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    DONT_FAKE_MONOTONIC: "1",
  };
}
