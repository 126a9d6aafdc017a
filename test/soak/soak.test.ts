import { expect, onTestFinished, test } from "vitest";
import { Cleanup } from "../harness/cleanup.ts";
import { graphOf } from "./graph.ts";
import { Journal } from "./journal.ts";
import { MEASURES, MEASURE_NAMES } from "./measures.ts";
import type { Measured } from "./measures.ts";
import type { Sample } from "./operator.ts";
import { sourceScene } from "./scene.ts";
import { SHORT_SCRIPT } from "./script.ts";
import { soak } from "./soak.ts";

const LIMIT_SECONDS = 120;
/** It takes seven seconds; where tests of several checkouts run at once, much more. */
const TEST_LIMIT_MS = 300_000;
const NODES = ["primary", "edge", "relay", "leaf"];
const PROCESSES = [...NODES, "writer", "reader", "guest"];
const OF: Readonly<Record<Measured, readonly string[]>> = {
  process: PROCESSES,
  node: [...NODES, "guest"],
  primary: ["primary"],
  replica: ["edge", "relay", "leaf", "guest"],
};

/** What has not been measured yet, or is no number that it can be. */
function missing(journal: Journal): readonly string[] {
  return MEASURE_NAMES.flatMap((measure) => {
    const { title, of } = MEASURES[measure];
    return OF[of]
      .filter((process) => !journal.series(process, measure)?.values.every((value) => value >= 0))
      .map((process) => `${title} of ${process}`);
  });
}

test(
  "a soak runs, measures all that it promises, and leaves no process behind",
  { timeout: TEST_LIMIT_MS },
  async () => {
    const cleanup = new Cleanup();
    onTestFinished(() => cleanup.run());
    const samples: Sample[] = [];
    const journal = new Journal();
    await soak({
      journal,
      folder: cleanup.folder,
      scene: sourceScene(),
      script: SHORT_SCRIPT,
      isEnough: (second) => second > LIMIT_SECONDS || missing(journal).length === 0,
      seed: 1,
      onLine: (line) => "figures" in line && samples.push(line),
    });

    expect(missing(journal)).toEqual([]);
    expect(journal.processes.toSorted()).toEqual(PROCESSES.toSorted());
    expect(journal.events.map(({ event }) => event)).toContainEqual(expect.stringMatching(/^guest-1 comes/));
    for (const pid of new Set(samples.map((sample) => sample.pid)))
      expect(() => process.kill(pid, 0), `process ${pid}`).toThrow("ESRCH");

    const findings = journal.judge(0);
    expect(findings.map(({ process }) => process)).toEqual(expect.arrayContaining(NODES));
    const graph = graphOf(journal, { title: "short", findings, warmUpSeconds: 0 });
    for (const { title } of Object.values(MEASURES)) expect(graph).toContain(`>${title}<`);
    expect(graph).not.toContain("NaN");
  },
);
