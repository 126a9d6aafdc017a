import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Cleanup } from "./harness/cleanup.ts";
import { ServingProcess, until } from "./harness/node-process.ts";
import { assertSameBytes } from "./harness/shell.ts";
import { SmallDisk } from "./harness/small-disk.ts";
import { application, commits, goesTo, rowsOf, says } from "./harness/storage-story.ts";

/*
 * A full disk, no descriptors, a read-only file system, met by real nodes: they say so, the application goes on writing,
 * and when there is room again they go on by themselves, with nothing lost.
 */

/** These are long stories, on whatever machine. */
const LIMIT_MS = 60_000;

let cleanup = new Cleanup();
const disks: SmallDisk[] = [];
afterEach(async () => {
  await cleanup.run();
  for (const disk of disks.splice(0)) disk.remove();
  cleanup = new Cleanup();
});

function diskOf(sizeBytes: number): SmallDisk {
  const made = new SmallDisk(sizeBytes);
  disks.push(made);
  return made;
}

async function node(...argv: readonly string[]): Promise<ServingProcess> {
  return cleanup.owns(await ServingProcess.start(argv));
}

describe.skipIf(!SmallDisk.isAllowed)("a full disk (skipped where a test may not mount one)", () => {
  test(
    "under the primary's data: no snapshot, no log, and it ends; each time it goes on by itself, and misses nothing",
    { timeout: LIMIT_MS },
    async () => {
      const small = diskOf(24 << 20);
      const file = application(join(cleanup.folder, "app.db"), 2000);
      const edge = join(cleanup.folder, "edge.db");
      const dataDir = join(small.path, "data");
      let primary = await node("primary", file, "--data-dir", dataDir);

      // Too full for a snapshot: that is said, nothing is left of it, and the log goes on.
      small.fill(2 << 20);
      const replica = await node("replica", primary.url, edge);
      await says(replica, /"lastError":\{[^}]*(ENOSPC|may still be written)/);
      expect(readdirSync(join(dataDir, "snapshots"))).toEqual([]);
      commits(file, 50);
      await until(
        "the log goes on",
        () => primary.headTxid(),
        (txid) => txid === 50,
      );
      small.free();
      await goesTo(edge, 2050);

      // Too full for the log: capture waits, and no writer does.
      small.fill(10_000);
      expect(commits(file, 200)).toBeLessThan(5000);
      await says(primary, /"lastError":\{[^}]*ENOSPC/);
      expect(rowsOf(edge)).toBeLessThan(2250);
      // Still there for whoever asks.
      expect((await fetch(`${primary.url}/livez`)).status).toBe(200);
      expect(commits(file, 50)).toBeLessThan(5000);
      small.free();
      await goesTo(edge, 2300);
      await says(primary, /"lastError":null/);
      expect(JSON.stringify(await primary.status())).toMatch(/"differences":0/);

      // Told to end: it ends, and the next start finds what could not be logged.
      small.fill(0);
      commits(file, 200);
      await says(primary, /"lastError":\{[^}]*ENOSPC/);
      const { port } = primary;
      const ended = await primary.kill("SIGTERM");
      expect(ended.signal, primary.text).toBeNull();
      expect(primary.text).toContain("ENOSPC");
      commits(file, 30);
      small.free();
      primary = await node("primary", file, "--data-dir", dataDir, "--port", port);
      await goesTo(edge, 2530);
      await replica.stop();
      await primary.stop();
      assertSameBytes(file, edge);
    },
  );

  test(
    "under a replica, while it fetches, receives and applies: it goes on by itself each time, readers read on",
    { timeout: LIMIT_MS },
    async () => {
      const small = diskOf(32 << 20);
      const file = application(join(cleanup.folder, "app.db"), 2000);
      const primary = await node("primary", file);
      const edge = join(small.path, "edge.db");
      small.fill(4 << 20);
      const replica = await node("replica", primary.url, edge);
      await says(replica, /"lastError":\{[^}]*(ENOSPC|may still be written)/);
      small.free();
      await goesTo(edge, 2000);

      small.fill(200_000);
      commits(file, 200);
      await says(replica, /"lastError":\{[^}]*(ENOSPC|may still be written)/);
      const during = rowsOf(edge);
      expect(during).toBeGreaterThanOrEqual(2000);
      expect(during).toBeLessThan(2200);
      small.free();
      await goesTo(edge, 2200);

      // Under the database of another alone: what is applied waits for room.
      const beside = diskOf(32 << 20);
      const other = join(beside.path, "other.db");
      const alone = await node(
        "replica",
        primary.url,
        other,
        "--data-dir",
        join(cleanup.folder, "other-data"),
      );
      await goesTo(other, 2200);
      beside.fill(100_000);
      commits(file, 200);
      await says(alone, /"lastError":\{[^}]*(ENOSPC|full|may still be written)/);
      expect(rowsOf(other)).toBeLessThan(2400);
      beside.free();
      for (const each of [edge, other]) await goesTo(each, 2400);
      for (const each of [replica, alone]) {
        await each.stop();
        expect(each.text).not.toMatch(/resync/);
      }
      await primary.stop();
      for (const each of [edge, other]) assertSameBytes(file, each);
    },
  );
});
