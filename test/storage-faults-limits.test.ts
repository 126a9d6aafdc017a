import { Agent, request } from "node:http";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Cleanup } from "./harness/cleanup.ts";
import { takeDescriptors } from "./harness/descriptors.ts";
import { makeReadOnly as readOnly } from "./harness/read-only.ts";
import { SmallDisk } from "./harness/small-disk.ts";
import { ServingProcess, until } from "./harness/node-process.ts";
import { assertSameBytes } from "./harness/shell.ts";
import { application, commits, goesTo, rowsOf, says } from "./harness/storage-story.ts";

/* No file descriptors left, and a file system that has become read-only, met by real nodes. */

/** These are long stories, on whatever machine. */
const LIMIT_MS = 60_000;

let cleanup = new Cleanup();
const undo: (() => void)[] = [];
afterEach(async () => {
  await cleanup.run();
  for (const each of undo.splice(0).toReversed()) each();
  cleanup = new Cleanup();
});

async function node(...argv: readonly string[]): Promise<ServingProcess> {
  return cleanup.owns(await ServingProcess.start(argv));
}

function makeReadOnly(folder: string): () => void {
  const back = readOnly(folder);
  undo.push(back);
  return back;
}

/** Over a connection that is kept, for where there can be no other. */
function ask(
  method: "GET" | "POST",
  url: string,
  agent: Agent,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, agent }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (more: string) => (text += more));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.on("error", reject).end();
  });
}

const takeSnapshot = (of: ServingProcess, agent: Agent): ReturnType<typeof ask> =>
  ask("POST", `${of.url}/admin/snapshots`, agent);

function oneConnection(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  undo.push(() => agent.destroy());
  return agent;
}

describe("no descriptors left", () => {
  test(
    "to a primary, then to its replica: what needs one fails and is said, all else goes on",
    { timeout: LIMIT_MS },
    async () => {
      const file = application(join(cleanup.folder, "app.db"));
      const edge = join(cleanup.folder, "edge.db");
      const primary = await node("primary", file);
      const replica = await node("replica", primary.url, edge);
      commits(file, 20);
      await goesTo(edge, 20);
      const kept = oneConnection();
      expect((await takeSnapshot(primary, kept)).status).toBe(201);
      const giveBack = takeDescriptors(primary.pid);
      const { status, text } = await takeSnapshot(primary, kept);
      expect([status >= 500, text]).toEqual([true, expect.stringContaining('"code":"storage_failed"')]);
      expect(commits(file, 100)).toBeLessThan(5000);
      // To capture it needs no new one.
      await until(
        "all is captured",
        () => ask("GET", `${primary.url}/admin/wal`, kept),
        (answer) => answer.text.includes('"headTxid":120,'),
      );
      giveBack();
      expect((await takeSnapshot(primary, kept)).status).toBe(201);
      commits(file, 20);
      await goesTo(edge, 140);

      const giveBackToReplica = takeDescriptors(replica.pid);
      // More than it keeps in its SQLite WAL: its checkpoints come into it as well.
      commits(file, 100, 200_000);
      giveBackToReplica();
      await goesTo(edge, 240);
      await replica.stop();
      await primary.stop();
      assertSameBytes(file, edge);
      expect(replica.text).not.toMatch(/resync/);
    },
  );
});

describe.skipIf(!SmallDisk.isAllowed)(
  "a file system that becomes read-only (skipped where a test may not mount)",
  () => {
    test(
      "under a primary, then under its replica: what cannot be written is said, all else goes on, and later all does",
      { timeout: LIMIT_MS },
      async () => {
        const file = application(join(cleanup.folder, "app.db"));
        const edge = join(cleanup.folder, "edge.db");
        const late = join(cleanup.folder, "late.db");
        const primary = await node("primary", file);
        const replica = await node("replica", primary.url, edge);
        commits(file, 20);
        await goesTo(edge, 20);
        const kept = oneConnection();
        let makeWritable = makeReadOnly(`${file}-tailrace`);
        const { status, text } = await takeSnapshot(primary, kept);
        expect([status >= 500, text]).toEqual([true, expect.stringContaining("EROFS")]);
        // Also what is known of replicas cannot be written down: that must not stop anything.
        const another = await node("replica", primary.url, late);
        expect(commits(file, 200)).toBeLessThan(5000);
        await goesTo(edge, 220);
        makeWritable();
        expect((await takeSnapshot(primary, kept)).status).toBe(201);
        await goesTo(late, 220);
        commits(file, 20);
        for (const each of [edge, late]) await goesTo(each, 240);

        makeWritable = makeReadOnly(`${edge}-tailrace`);
        commits(file, 100, 200_000);
        await goesTo(late, 340);
        expect(rowsOf(edge)).toBeGreaterThanOrEqual(240);
        makeWritable();
        await goesTo(edge, 340);
        await replica.stop();
        await another.stop();
        await primary.stop();
        for (const each of [edge, late]) assertSameBytes(file, each);
      },
    );

    test("before a replica's first landing: it says so, and lands when it can", async () => {
      const file = application(join(cleanup.folder, "app.db"), 200);
      const edge = join(cleanup.folder, "edge.db");
      const primary = await node("primary", file);
      // Made and left: a data folder that is there.
      const first = await node("replica", "http://127.0.0.1:9", edge);
      await first.stop();
      const makeWritable = makeReadOnly(`${edge}-tailrace`);
      const replica = ServingProcess.launch(["replica", primary.url, edge]);
      cleanup.owns(replica);
      const { code } = await replica.exited;
      expect([code, replica.text]).toEqual([1, expect.stringMatching(/read_only|EROFS|read-only/)]);
      makeWritable();
      const again = await node("replica", primary.url, edge);
      await goesTo(edge, 200);
      await says(again, /"lastError":null/);
      await again.stop();
      await primary.stop();
      assertSameBytes(file, edge);
    });
  },
);
