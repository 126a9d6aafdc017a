import type * as fs from "node:fs";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { History } from "../../test/harness/history.ts";
import { loseNames } from "../../test/harness/unsynced-names.ts";
import { LogCopy } from "./log-copy.ts";
import { LogWriter } from "./log-writer.ts";
import { segmentPath } from "./segment-files.ts";

/** Writes since the last sync of anything, as the system would still have to carry them out. */
const pending: { bytes: string; offset: number }[] = [];
const onDisk: { bytes: string; offset: number }[] = [];
let isFailing = false;
let syncs = 0;

/** As Linux does it: what could not be written is forgotten, and the next sync succeeds without it. */
function carryOut(): void {
  syncs += 1;
  const writes = pending.splice(0);
  if (isFailing) throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
  onDisk.push(...writes);
}

vi.mock("node:fs", async (original) => {
  const { withUnsyncedNames } = await import("../../test/harness/unsynced-names.ts");
  const real = withUnsyncedNames(await original<typeof fs>());
  return {
    ...real,
    writeSync: (descriptor: number, bytes: Buffer, from: number, count: number, position: number) => {
      pending.push({ bytes: bytes.toString("latin1", from, from + count), offset: position });
      return real.writeSync(descriptor, bytes, from, count, position);
    },
    fdatasyncSync: () => carryOut(),
    fdatasync: (_descriptor: number, done: (error?: unknown) => void) => {
      try {
        carryOut();
        queueMicrotask(done);
      } catch (error) {
        queueMicrotask(() => done(error));
      }
    },
  };
});

afterEach(() => {
  isFailing = false;
  pending.length = 0;
  onDisk.length = 0;
});

test("what a sync could not put on the disk is written again before the next one is believed", () => {
  const copy = LogCopy.open({ folder: join(temporaryFolder(), "copy") });
  const append = (text: string): void => {
    const { segment, offset } = copy.end;
    copy.append(copy.end, Buffer.from(text), { segment, offset: offset + text.length });
  };
  append("first.");
  copy.sync();
  append("second.");
  isFailing = true;
  expect(() => copy.sync()).toThrow(expect.objectContaining({ code: "storage_failed" }));
  expect(copy.unsyncedBytes).toBe(7);
  isFailing = false;
  append("third.");
  copy.sync();
  expect(copy.unsyncedBytes).toBe(0);
  copy.close();
  const found = Buffer.alloc(copy.end.offset);
  for (const { bytes, offset } of onDisk) found.write(bytes, offset);
  expect(found.toString()).toBe("first.second.third.");
});

test("what an earlier process has left is written again before the first sync is believed: its own may have failed", () => {
  const folder = join(temporaryFolder(), "copy");
  const earlier = LogCopy.open({ folder });
  earlier.append(earlier.end, Buffer.from("first."), { segment: 1, offset: 6 });
  earlier.sync();
  const synced = earlier.end;
  earlier.append(earlier.end, Buffer.from("second."), { segment: 2, offset: 0 });
  earlier.append(earlier.end, Buffer.from("third."), { segment: 2, offset: 6 });
  isFailing = true;
  expect(() => earlier.sync()).toThrow("EIO");
  earlier.close();
  isFailing = false;
  onDisk.length = 0;

  const copy = LogCopy.open({ folder, synced });
  expect(copy.unsyncedBytes).toBe(13);
  copy.sync();
  expect(copy.unsyncedBytes).toBe(0);
  const written = [
    { bytes: "second.", offset: 6 },
    { bytes: "third.", offset: 0 },
  ];
  expect(onDisk).toEqual(written);
  copy.sync();
  expect(onDisk).toEqual(written);
  copy.close();
});

test("what another thread has put on the disk is not synced once more", async () => {
  const copy = LogCopy.open({ folder: join(temporaryFolder(), "copy") });
  copy.append(copy.end, Buffer.from("first."), { segment: 1, offset: 6 });
  syncs = 0;
  const ahead = copy.syncAhead();
  copy.append(copy.end, Buffer.from("second."), { segment: 1, offset: 13 });
  await ahead;
  expect(copy.unsyncedBytes).toBe(7);
  await copy.syncAhead();
  copy.sync();
  expect(copy.unsyncedBytes).toBe(0);
  expect(syncs).toBe(2);
  copy.close();
});

test("of two syncs side by side only one is told that the disk has failed, and neither is believed", async () => {
  const copy = LogCopy.open({ folder: join(temporaryFolder(), "copy") });
  copy.append(copy.end, Buffer.from("first."), { segment: 1, offset: 6 });
  isFailing = true;
  const failing = copy.syncAhead();
  isFailing = false;
  const [failed] = await Promise.allSettled([failing, copy.syncAhead()]);
  expect(failed).toMatchObject({ status: "rejected", reason: { code: "storage_failed" } });
  expect(copy.unsyncedBytes).toBe(6);
  await copy.syncAhead();
  expect(copy.unsyncedBytes).toBe(6);
  expect(onDisk).toEqual([]);
  copy.sync();
  expect(copy.unsyncedBytes).toBe(0);
  expect(onDisk).toEqual([{ bytes: "first.", offset: 0 }]);
  copy.close();
});

test("a segment is called durable when its name is, which only a sync on this thread makes it", async () => {
  const folder = join(temporaryFolder(), "copy");
  const copy = LogCopy.open({ folder });
  copy.append(copy.end, Buffer.from("first."), { segment: 2, offset: 0 });
  copy.append(copy.end, Buffer.from("second."), { segment: 2, offset: 7 });
  await copy.syncAhead();
  expect(copy.unsyncedBytes).toBe(13);
  copy.sync();
  expect(copy.unsyncedBytes).toBe(0);
  copy.close();
  loseNames();
  expect(existsSync(segmentPath(folder, 2))).toBe(true);
});

test("what an earlier process has logged since its last close in order is written again at the start: it may have died between a sync that failed and the cut", () => {
  const folder = join(temporaryFolder(), "log");
  const history = new History();
  const open = (syncedTxid?: number): LogWriter =>
    LogWriter.open({
      folder,
      logId: "0".repeat(32),
      epoch: 1,
      pageSizeBytes: 512,
      segmentSizeBytes: 1 << 20,
      durability: "commit",
      clock: () => 0,
      initial: history.initial,
      syncedTxid,
    }).log;
  const earlier = open();
  const [first, second] = [history.record()[0]!, history.record()[0]!];
  earlier.append(first);
  earlier.append(second);
  earlier.close();
  for (const [syncedTxid, offset] of [
    [undefined, 0],
    [1, 80 + first.length],
    [2, 80 + first.length + second.length],
  ] as const) {
    onDisk.length = 0;
    open(syncedTxid).close();
    const written = onDisk.map(({ bytes, offset: at }) => ({
      offset: at,
      end: at + Buffer.byteLength(bytes, "latin1"),
    }));
    const end = 80 + first.length + second.length;
    expect(written).toEqual(offset === end ? [] : [{ offset, end }]);
  }
});
