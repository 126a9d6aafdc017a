import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryFolder } from "../test/harness/folder.ts";
import { CommitWatch } from "./commit-watch.ts";

/** Of one wait: less than a commit takes on a slow disk. */
const WAIT_MS = 20;

/** A watch of a WAL whose writer has begun a commit, for one wait at least. It ends with the test. */
async function expecting(): Promise<{
  watch: CommitWatch;
  wait: () => Promise<void>;
  seen: { looks: number; isThere: boolean };
}> {
  const file = join(temporaryFolder(), "app.db-wal");
  writeFileSync(file, "");
  const watch = new CommitWatch(file);
  onTestFinished(() => watch.close());
  const seen = { looks: 0, isThere: false };
  const look = (): boolean => {
    seen.looks += 1;
    return seen.isThere;
  };
  const wait = (): Promise<void> => watch.wait(look, () => true, WAIT_MS, 0);
  appendFileSync(file, "a frame");
  while (seen.looks === 0) await wait();
  return { watch, wait, seen };
}

test("a commit that is being written when a wait is over is looked for by the next ones: no event tells of its end", async () => {
  const { wait, seen } = await expecting();
  for (let again = 0; again < 3; again++) {
    const before = seen.looks;
    await wait();
    expect(seen.looks).toBeGreaterThan(before);
  }
});

test("who wants something meanwhile keeps nobody from looking for it", async () => {
  const { watch, wait, seen } = await expecting();
  watch.notify();
  await wait();
  const before = seen.looks;
  await wait();
  expect(seen.looks).toBeGreaterThan(before);
});

test("once it is found, no other is looked for before something is written", async () => {
  const { wait, seen } = await expecting();
  seen.isThere = true;
  await wait();
  const after = seen.looks;
  await wait();
  expect(seen.looks).toBe(after);
});

test.for([
  ["nothing comes", 0],
  ["commits come so fast that events are done without", 1e9],
] as const)("who wants something waits for no look that is due later, while %s", async ([, newCommits]) => {
  // No time passes: what is due later never comes.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const watch = new CommitWatch(join(temporaryFolder(), "app.db-wal"));
  onTestFinished(() => watch.close());
  let waits = 0;
  const wait = async (): Promise<void> => {
    await watch.wait(
      () => false,
      () => false,
      Infinity,
      newCommits,
    );
    waits += 1;
  };

  void wait();
  await setImmediate();
  expect(waits).toBe(0);
  watch.notify();
  await setImmediate();
  expect(waits).toBe(1);
  // Also where it was wanted while nobody waited.
  watch.notify();
  void wait();
  await setImmediate();
  expect(waits).toBe(2);
});
