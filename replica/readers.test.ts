import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { MAX_BATCH_IMAGE_BYTES } from "../shared/plan/merge.ts";
import { Edge } from "../test/harness/edge.ts";
import { NodeProcess } from "../test/harness/node-process.ts";
import { CREATE_SPREAD, STEP_SPREAD, Watcher } from "../test/harness/watcher.ts";

const FOLLOW = path.join(import.meta.dirname, "../test/programs/follow.ts");
/** Many processes, one after the other: also where the machine has much else to do. */
const STORY_LIMIT_MS = 120_000;
const MAX_COMMITS = 20;
const RESYNC = /resync:|diverged|foreign/;

let edge: Edge;
const processes: NodeProcess[] = [];
afterEach(async () => {
  for (const child of processes.splice(0)) if (child.isRunning) await child.kill();
  await edge.close();
});

function launch(failpoint = ""): NodeProcess {
  const argv = [edge.primary.url, edge.file, "os", "resync"];
  const child = new NodeProcess(FOLLOW, argv, { env: { TAILRACE_FAILPOINT: failpoint } });
  processes.push(child);
  return child;
}

/** Takes one step after the other, each as soon as the one before is there, until the replica dies of it. */
async function stepUntilDead(child: NodeProcess, sql: string): Promise<void> {
  await child.waitFor(/ready/).catch(() => undefined);
  for (let commit = 0; commit < MAX_COMMITS && child.isRunning; commit++) {
    const txid = edge.primary.commit(`BEGIN; ${sql}; COMMIT`);
    await child.waitFor(new RegExp(`^${txid}$`, "m")).catch(() => undefined);
  }
  expect(await child.exited, child.text).toMatchObject({ signal: "SIGKILL" });
  expect(child.text).not.toMatch(RESYNC);
}

/** A life without an accident, up to the newest step; it ends by an accident. */
async function goOn(): Promise<string> {
  const child = launch();
  await child.waitFor(/ready/);
  await child.waitFor(new RegExp(`^${edge.primary.commit(STEP_SPREAD)}$`, "m"));
  await child.kill();
  return child.text;
}

/*
 * The replica's process comes and goes; the reader stays, in a process of its own, and reads as any application would.
 * Resyncs land on the newest state here, so that nothing excuses a step back.
 */
test(
  "readers see no torn state and no step back while the replica is killed again and again, and resyncs land",
  { timeout: STORY_LIMIT_MS },
  async () => {
    edge = new Edge();
    const { primary, file } = edge;
    primary.commit(CREATE_SPREAD);
    await primary.listen();
    await goOn();
    const watcher = await Watcher.start(file);
    for (const failpoint of ["apply.intent-written:2", "append.index-written:2", "append.published:2"])
      await stepUntilDead(launch(failpoint), STEP_SPREAD);
    expect(await goOn()).not.toMatch(RESYNC);
    // More than a batch: in the SQLite WAL piece by piece, and visible at once.
    const large = `${STEP_SPREAD}; INSERT INTO t(body) VALUES (randomblob(${MAX_BATCH_IMAGE_BYTES}))`;
    for (const failpoint of ["append.frames-written", "apply.published"]) {
      await stepUntilDead(launch(failpoint), large);
      primary.commit("DELETE FROM t");
    }
    expect(await goOn()).not.toMatch(RESYNC);
    for (const failpoint of ["resync.intent-written", "resync.published"]) {
      primary.commitInSecret(STEP_SPREAD);
      await primary.unlisten();
      primary.beginHistory();
      await primary.listen();
      const child = launch(failpoint);
      expect(await child.exited, child.text).toMatchObject({ signal: "SIGKILL" });
    }
    expect(await goOn()).toMatch(/resync: \d+ pages differed/);
    const watched = await watcher.stop();
    expect(watched.problem).toBeNull();
    expect(watched.states).toBeGreaterThan(5);
    await edge.expectIdentical();
  },
);
