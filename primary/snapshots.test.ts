import { expect, test } from "vitest";
import { SnapshotStore } from "../shared/snapshots/snapshot-store.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { Snapshots } from "./snapshots.ts";

test("the state that a snapshot shows is on disk, in the log, before its first page is copied", async () => {
  const done: string[] = [];
  const view = {
    // Where the copying begins.
    share: () => {
      done.push("copied");
      throw new Error("no database here");
    },
    close: () => done.push("closed"),
  };
  const capture = {
    openView: () => {
      done.push("captured");
      return view;
    },
    sync: () => done.push("synced"),
    log: { headTxid: 7, end: { segment: 1, offset: 80 } },
    table: { checksum: 0n },
    meta: { logId: "0".repeat(32), epoch: 1 },
  };
  const snapshots = new Snapshots({
    capture,
    store: SnapshotStore.open(temporaryFolder()),
    notify: () => undefined,
    metrics: { snapshotFailures: { inc: () => undefined } },
    clock: () => 0,
  } as unknown as ConstructorParameters<typeof Snapshots>[0]);
  await expect(snapshots.take()).rejects.toThrow("no database here");
  expect(done).toEqual(["captured", "synced", "copied", "closed"]);
});

test("a newcomer waits for one that is under way only where the one that is there will not do", async () => {
  const there = { generation: 1, logId: "0".repeat(32), cursor: {}, pageCount: 1, pageSizeBytes: 4096 };
  let logBytesAfter: number | null = 1 << 20;
  const snapshots = new Snapshots({
    capture: { meta: there },
    store: { list: () => [there], forgetMissing: () => undefined },
    logBytesAfter: () => logBytesAfter,
  } as unknown as ConstructorParameters<typeof Snapshots>[0]);
  const { promise: running, resolve: finish } = Promise.withResolvers<void>();
  // Of a database that takes hours.
  Object.assign(snapshots, { running });
  expect(await snapshots.latest()).toBe(there);

  logBytesAfter = null;
  const waiting = snapshots.latest();
  logBytesAfter = 0;
  finish();
  expect(await waiting).toBe(there);
});

test("a newcomer is given none from before a takeover: whoever has seen the present epoch would refuse it", async () => {
  const before = { logId: "0".repeat(32), epoch: 1, cursor: {}, pageCount: 1, pageSizeBytes: 4096 };
  const taken = { ...before, epoch: 2 };
  const snapshots = new Snapshots({
    capture: { meta: taken },
    store: { list: () => [before], forgetMissing: () => undefined },
    logBytesAfter: () => 0,
  } as unknown as ConstructorParameters<typeof Snapshots>[0]);
  Object.assign(snapshots, { running: Promise.resolve(taken) });
  expect(await snapshots.latest()).toBe(taken);
});
