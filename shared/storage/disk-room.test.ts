import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { DiskRoom } from "./disk-room.ts";

const PETABYTE = 2 ** 50;

test("what fits nowhere is refused, and nothing is always there", () => {
  const folder = mkdtempSync(`${tmpdir()}/tailrace-room-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const room = new DiskRoom({ folder, keepFreeBytes: 64 << 20, nowMs: () => 0 });
  expect(() => room.take(PETABYTE, "a snapshot")).toThrow(
    expect.objectContaining({ code: "storage_failed", retryable: true }),
  );
  expect(() => room.take(0, "a snapshot")).not.toThrow();
});

test.runIf(process.platform === "linux")(
  "a file system that tells no size, as a tmpfs without a limit, is not full",
  () => {
    // Its size is 0, and 0 is free.
    const room = new DiskRoom({ folder: "/proc", keepFreeBytes: 64 << 20, nowMs: () => 0 });
    expect(() => room.take(PETABYTE, "a snapshot")).not.toThrow();
  },
);
