import { statfsSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { DiskRoom, NoRoomError, replicaRoom } from "./disk-room.ts";

vi.mock(import("node:fs"), { spy: true });

/** What statfs answers from now on, of a file system of 1000 bytes. */
function free(freeBytes: number): void {
  vi.mocked(statfsSync).mockReturnValue({ bavail: freeBytes, blocks: 1000, bsize: 1 } as ReturnType<
    typeof statfsSync
  >);
}

test("what is to stay free stays free, but of a small file system no more than a twentieth", () => {
  free(500);
  for (const [keepFreeBytes, most] of [
    [0, 500],
    [30, 470],
    [1_000_000, 450],
  ] as const) {
    const room = (): DiskRoom => new DiskRoom({ folder: "/", keepFreeBytes, nowMs: () => 0 });
    room().take(most, "it");
    expect(() => room().take(most + 1, "it")).toThrow(NoRoomError);
  }
});

test("what was taken is not there any more, what others write is seen soon, and room that was made at once", () => {
  let nowMs = 0;
  const room = new DiskRoom({ folder: "/", keepFreeBytes: 0, nowMs: () => nowMs });
  free(500);
  room.take(400, "it");
  // Somebody else, and what was taken.
  free(50);
  expect(() => room.take(101, "it")).toThrow("it needs 101 B on the disk, where 50 B may still be written");
  room.take(0, "it");
  free(500);
  room.take(400, "it");
  free(5);
  nowMs = 5000;
  expect(() => room.take(6, "it")).toThrow(NoRoomError);
});

test("a file system that tells no size, as a tmpfs without a limit, is not full", () => {
  vi.mocked(statfsSync).mockReturnValue({ bavail: 0, blocks: 0, bsize: 4096 } as ReturnType<
    typeof statfsSync
  >);
  const room = new DiskRoom({ folder: "/", keepFreeBytes: 100, nowMs: () => 0 });
  expect(() => room.take(2 ** 50, "it")).not.toThrow();
});

test("what a replica's own files take of a disk is not there for its database any more", () => {
  free(500);
  const folder = temporaryFolder();
  const room = replicaRoom(folder, join(folder, "edge.db"), { keepFreeBytes: 0, nowMs: () => 0 });
  room.data.take(300, "the log");
  room.database.take(200, "the database");
  free(0);
  expect(() => room.data.take(1, "the log")).toThrow(NoRoomError);
});
