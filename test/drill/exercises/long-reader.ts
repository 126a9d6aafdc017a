import type { Exercise } from "../exercise.ts";
import { PythonProcess } from "../python-process.ts";

const COMMITS = 250;
const HOLD_SECONDS = "60";

export const longReader: Exercise = {
  name: "long-reader",
  what: "a read transaction stays open on the primary and on a replica while 250 commits pass, and sees one state throughout",
  async run(cluster, chance) {
    const files = [cluster.primary.file, cluster.replicas[chance.integer(0, 2)]!.file];
    const readers = files.map((file) => new PythonProcess("reader.py", [file, HOLD_SECONDS, HOLD_SECONDS]));
    for (const reader of readers) await reader.nextLine();
    await cluster.commits(COMMITS);
    // The end of its input ends the transaction, after a last look.
    for (const reader of readers) {
      reader.endInput();
      const lines = await reader.remainingLines();
      const { torn } = JSON.parse(lines.at(-1)!) as { torn: string[] };
      if (torn.length > 0) throw new Error(`a long reader saw ${torn.join(", ")}`);
    }
  },
};
