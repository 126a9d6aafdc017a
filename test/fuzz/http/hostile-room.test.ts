import { statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogPrimary } from "../../harness/log-primary.ts";
import { Chance } from "../../harness/seed.ts";
import { SmallDisk } from "../../harness/small-disk.ts";
import { temporaryFolder } from "../../harness/folder.ts";
import { FollowedReplica } from "./followed-replica.ts";
import { logLies } from "./log-lies.ts";
import { LyingNode } from "./lying-node.ts";
import { snapshotLies } from "./snapshot-lies.ts";

const DISK_BYTES = 48 << 20;
/** A twentieth of the disk. */
const KEPT_FREE_BYTES = DISK_BYTES / 20;

let disk: SmallDisk;
let primary: LogPrimary;
let node: LyingNode;
let replica: FollowedReplica;

beforeEach(async ({ skip }) => {
  if (!SmallDisk.isAllowed) skip("this process may not mount");
  disk = new SmallDisk(DISK_BYTES);
  primary = new LogPrimary(join(temporaryFolder(), "primary"));
  primary.insert(100);
  await primary.listen();
  node = new LyingNode(primary);
  await node.listen();
});

afterEach(async () => {
  await replica?.close();
  await node?.close();
  await primary?.close();
  disk?.remove();
});

function start(): void {
  replica = new FollowedReplica(join(disk.path, "edge.db"), node.url, 64 << 20);
}

function freeBytes(): number {
  const { bavail, bsize } = statfsSync(disk.path);
  return bavail * bsize;
}

const isSame = (): boolean => replica.checksum === primary.checksum;
const lastMessage = (): string => replica.status.lastError?.message ?? "";

/** Looks at the free space all the while. @returns the least there was */
async function untilItSays(what: RegExp): Promise<number> {
  let least = Infinity;
  for (const end = performance.now() + 20_000; !what.test(lastMessage()); await after(1)) {
    least = Math.min(least, freeBytes());
    if (performance.now() > end) throw new Error(`it says ${lastMessage()}`);
  }
  return Math.min(least, freeBytes());
}

test("a transaction without end is received until the disk is as full as it may be, and then gives its room back", async () => {
  start();
  await expect.poll(isSame, { timeout: 10_000 }).toBe(true);
  const before = freeBytes();
  node.lie(logLies["a record whose fragments never end"]!(new Chance(1)));
  const least = await untilItSays(/the primary's log needs/);
  expect(least).toBeLessThan(before / 2);
  expect(least).toBeGreaterThanOrEqual(KEPT_FREE_BYTES);
  node.tellTheTruth();
  primary.insert(1);
  await expect.poll(isSame, { timeout: 10_000 }).toBe(true);
  expect(freeBytes()).toBeGreaterThan(before / 2);
});

test("a replica that has all there is does not mind a full disk", async () => {
  start();
  await expect.poll(isSame, { timeout: 10_000 }).toBe(true);
  disk.fill();
  replica.passTime(2_000);
  node.lie(() => false);
  await expect.poll(() => node.requests, { timeout: 10_000 }).toBeGreaterThan(5);
  expect(lastMessage()).not.toMatch(/needs/);
  disk.free();
});

test("a snapshot for which there is no room is refused before its first byte is written", async () => {
  node.lie(snapshotLies["an image larger than any disk"]!(new Chance(1)));
  start();
  const least = await untilItSays(/the primary's snapshot needs/);
  expect(least).toBeGreaterThan(DISK_BYTES * 0.9);
  node.tellTheTruth();
  await expect.poll(isSame, { timeout: 10_000 }).toBe(true);
});

test("a transaction that is here and does not fit into the database waits for room, and readers have the state before", async () => {
  start();
  await expect.poll(isSame, { timeout: 10_000 }).toBe(true);
  const before = replica.checksum;
  disk.fill(KEPT_FREE_BYTES + (3 << 20));
  replica.passTime(2_000);
  primary.insert(2, 1_000_000);
  await untilItSays(/transaction \d+ needs/);
  expect(replica.checksum).toBe(before);
  expect(statSync(replica.file).size).toBeLessThan(1 << 20);
  disk.free();
  await expect.poll(isSame, { timeout: 10_000 }).toBe(true);
});
