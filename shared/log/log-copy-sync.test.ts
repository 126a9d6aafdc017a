import type * as fs from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { LogCopy } from "./log-copy.ts";

/** Writes since the last sync of anything, as the system would still have to carry them out. */
const pending: { bytes: string; offset: number }[] = [];
const onDisk: { bytes: string; offset: number }[] = [];
let isFailing = false;

vi.mock("node:fs", async (original) => {
  const real = await original<typeof fs>();
  return {
    ...real,
    writeSync: (descriptor: number, bytes: Buffer, from: number, count: number, position: number) => {
      pending.push({ bytes: bytes.toString("utf8", from, from + count), offset: position });
      return real.writeSync(descriptor, bytes, from, count, position);
    },
    fdatasyncSync: () => {
      // As Linux does it: what could not be written is forgotten, and the next sync succeeds without it.
      const writes = pending.splice(0);
      if (isFailing) throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
      onDisk.push(...writes);
    },
  };
});

afterEach(() => void (isFailing = false));

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
