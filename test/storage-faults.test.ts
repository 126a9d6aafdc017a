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
  test("under the primary's log: capture waits, says so, no writer does, and it goes on by itself", async () => {
    const small = diskOf(16 << 20);
    const file = application(join(cleanup.folder, "app.db"));
    const edge = join(cleanup.folder, "edge.db");
    const primary = await node("primary", file, "--data-dir", join(small.path, "data"));
    const replica = await node("replica", primary.url, edge);
    commits(file, 20);
    await goesTo(edge, 20);
    small.fill(10_000);
    expect(commits(file, 200)).toBeLessThan(5000);
    await says(primary, /"lastError":\{[^}]*ENOSPC/);
    expect(rowsOf(edge)).toBeLessThan(220);
    // Still there for whoever asks.
    expect((await fetch(`${primary.url}/livez`)).status).toBe(200);
    expect(commits(file, 50)).toBeLessThan(5000);
    small.free();
    await goesTo(edge, 270);
    await says(primary, /"lastError":null/);
    const status = JSON.stringify(await primary.status());
    expect(status).toMatch(/"differences":0/);
    await replica.stop();
    await primary.stop();
    assertSameBytes(file, edge);
  });

  test("too full for a snapshot: that is said, nothing is left of it, and the log goes on", async () => {
    const small = diskOf(24 << 20);
    const file = application(join(cleanup.folder, "app.db"), 2000);
    const primary = await node("primary", file, "--data-dir", join(small.path, "data"));
    small.fill(2 << 20);
    const edge = join(cleanup.folder, "edge.db");
    const replica = await node("replica", primary.url, edge);
    await says(replica, /"lastError":\{[^}]*(ENOSPC|may still be written)/);
    expect(readdirSync(join(small.path, "data/snapshots"))).toEqual([]);
    commits(file, 50);
    await until(
      "the log goes on",
      () => primary.headTxid(),
      (txid) => txid === 50,
    );
    small.free();
    await goesTo(edge, 2050);
    await replica.stop();
    await primary.stop();
    assertSameBytes(file, edge);
  });

  test("under a replica, while it fetches, receives and applies: it goes on by itself each time", async () => {
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
    await replica.stop();
    await primary.stop();
    assertSameBytes(file, edge);
    expect(replica.text).not.toMatch(/resync/);
  });

  test("under a replica's database alone: what is applied waits for room, readers read on", async () => {
    const small = diskOf(32 << 20);
    const file = application(join(cleanup.folder, "app.db"), 500);
    const primary = await node("primary", file);
    const edge = join(small.path, "edge.db");
    const replica = await node("replica", primary.url, edge, "--data-dir", join(cleanup.folder, "edge-data"));
    await goesTo(edge, 500);
    small.fill(100_000);
    commits(file, 200);
    await says(replica, /"lastError":\{[^}]*(ENOSPC|full|may still be written)/);
    expect(rowsOf(edge)).toBeLessThan(700);
    small.free();
    await goesTo(edge, 700);
    await replica.stop();
    await primary.stop();
    assertSameBytes(file, edge);
    expect(replica.text).not.toMatch(/resync/);
  });

  test("a primary that is told to end on a full disk ends, and the next start misses nothing", async () => {
    const small = diskOf(16 << 20);
    const file = application(join(cleanup.folder, "app.db"));
    const edge = join(cleanup.folder, "edge.db");
    const dataDir = join(small.path, "data");
    let primary = await node("primary", file, "--data-dir", dataDir);
    const replica = await node("replica", primary.url, edge);
    commits(file, 20);
    await goesTo(edge, 20);
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
    await goesTo(edge, 250);
    await replica.stop();
    await primary.stop();
    assertSameBytes(file, edge);
  });
});
