import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../test/harness/folder.ts";
import { CommitWatch } from "./commit-watch.ts";

/** Of one wait: less than a commit takes on a slow disk. */
const WAIT_MS = 20;

/** A watch of a WAL whose writer has begun a commit, for one wait at least. It ends with the test. */
async function expecting(): Promise<{
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
  return { wait, seen };
}

test("a commit that is being written when a wait is over is looked for by the next ones: no event tells of its end", async () => {
  const { wait, seen } = await expecting();
  for (let again = 0; again < 3; again++) {
    const before = seen.looks;
    await wait();
    expect(seen.looks).toBeGreaterThan(before);
  }
});

test("once it is found, no other is looked for before something is written", async () => {
  const { wait, seen } = await expecting();
  seen.isThere = true;
  await wait();
  const after = seen.looks;
  await wait();
  expect(seen.looks).toBe(after);
});
