import { expect, test } from "vitest";
import { decideCheckpoint } from "./replica-checkpoint-policy.ts";
import type { WalState } from "./replica-checkpoint-policy.ts";

/** 4 KiB pages: 256 frames a MiB. */
const wal = (state: Partial<WalState>): WalState => ({
  frames: 0,
  backfilledFrames: 0,
  pageSizeBytes: 4096,
  isCheckpointRunning: false,
  sinceLastTryMs: Infinity,
  sinceVainFinishMs: Infinity,
  idleMs: 0,
  isBehind: false,
  ...state,
});
const MIB = 256;

test("a small WAL under load is left alone, and copied back once nothing comes any more", () => {
  expect(decideCheckpoint(wal({ frames: MIB }))).toBe("none");
  expect(decideCheckpoint(wal({ frames: MIB, idleMs: 2000 }))).toBe("copy");
  expect(decideCheckpoint(wal({ frames: MIB, backfilledFrames: MIB, idleMs: 9000 }))).toBe("none");
});

test("8 MiB of frames are copied in the background, and the WAL restarts when all of it is copied", () => {
  expect(decideCheckpoint(wal({ frames: 8 * MIB }))).toBe("copy");
  expect(decideCheckpoint(wal({ frames: 8 * MIB, isCheckpointRunning: true }))).toBe("none");
  expect(decideCheckpoint(wal({ frames: 8 * MIB, backfilledFrames: 8 * MIB }))).toBe("restart");
});

test("a stream of commits without a gap is held up for the last few pages, at 32 MiB", () => {
  expect(decideCheckpoint(wal({ frames: 9 * MIB, backfilledFrames: 8 * MIB }))).toBe("none");
  expect(decideCheckpoint(wal({ frames: 32 * MIB, backfilledFrames: 31 * MIB }))).toBe("finish");
});

test("a backlog that is applied faster than it is copied back is held up for all that is missing, at 2 GiB", () => {
  expect(decideCheckpoint(wal({ frames: 2047 * MIB, backfilledFrames: 32 * MIB }))).toBe("copy");
  const full = { frames: 2048 * MIB, backfilledFrames: 32 * MIB };
  expect(decideCheckpoint(wal({ ...full, isCheckpointRunning: true }))).toBe("wait");
  expect(decideCheckpoint(wal(full))).toBe("finish");
});

test("while a replica is behind, the disk is left to what it lacks: copied back is only from 1 GiB on, or when nothing comes", () => {
  const behind = { isBehind: true };
  expect(decideCheckpoint(wal({ ...behind, frames: 1023 * MIB }))).toBe("none");
  expect(decideCheckpoint(wal({ ...behind, frames: 1024 * MIB }))).toBe("copy");
  expect(decideCheckpoint(wal({ ...behind, frames: 1100 * MIB, backfilledFrames: 1024 * MIB }))).toBe("none");
  expect(decideCheckpoint(wal({ ...behind, frames: 1100 * MIB, backfilledFrames: 1099 * MIB }))).toBe(
    "finish",
  );
  expect(decideCheckpoint(wal({ ...behind, frames: 1100 * MIB, backfilledFrames: 1100 * MIB }))).toBe(
    "restart",
  );
  expect(decideCheckpoint(wal({ ...behind, frames: 2048 * MIB, backfilledFrames: 1024 * MIB }))).toBe(
    "finish",
  );
  // The primary is gone, with what it had to send.
  expect(decideCheckpoint(wal({ ...behind, frames: MIB, idleMs: 2000 }))).toBe("copy");
});

test("a reader that holds the checkpoint back costs a try every 100 ms, and never commits that wait all the time", () => {
  const held = { frames: 64 * MIB, backfilledFrames: 63 * MIB, sinceVainFinishMs: 500 };
  expect(decideCheckpoint(wal({ ...held, sinceLastTryMs: 50 }))).toBe("none");
  expect(decideCheckpoint(wal({ ...held, sinceLastTryMs: 100 }))).toBe("copy");
  expect(decideCheckpoint(wal({ ...held, backfilledFrames: MIB, sinceVainFinishMs: 5000 }))).toBe("copy");
});
