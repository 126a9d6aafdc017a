import { relative } from "node:path";
import type { TestSpecification } from "vitest/node";
import { BaseSequencer } from "vitest/node";

/**
 * Files that take about ten seconds and more beside others, roughly longest first; those that mostly wait are between
 * those that keep a core busy.
 */
const LONG: readonly string[] = [
  "test/crash-primary.test.ts",
  "replica/feed.test.ts",
  "test/crash-replica.test.ts",
  "replica/hostile.test.ts",
  "replica/crash.test.ts",
  "test/scenario.test.ts",
  "test/storage-faults-limits.test.ts",
  "test/stopping.test.ts",
  "test/commands.test.ts",
  "test/storage-faults.test.ts",
  "replica/follow.test.ts",
  "primary/capture.test.ts",
  "test/crash-random.test.ts",
  "test/drill.test.ts",
  "test/repair.test.ts",
  "src/library.test.ts",
  "test/power-loss.test.ts",
  "test/package.test.ts",
  "replica/power-loss.test.ts",
  "replica/variants.test.ts",
  "test/wrong-input.test.ts",
  "test/page-browser.test.ts",
  "primary/capture-crash.test.ts",
  "primary/engine-calls.test.ts",
];

/**
 * Files that take long come first: one that is begun last runs alone in the end. Vitest itself knows from earlier runs
 * how long they take; where there were none it goes by size, and the shortest files take the longest.
 */
export class LongestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONG.indexOf(relative(this.ctx.config.root, moduleId));
      return place < 0 ? LONG.length : place;
    };
    return Promise.resolve(files.toSorted((one, other) => rank(one) - rank(other)));
  }
}
