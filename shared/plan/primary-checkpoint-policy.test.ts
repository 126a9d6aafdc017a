import fc from "fast-check";
import { expect, test } from "vitest";
import {
  HOLD_RETRY_MS,
  IDLE_MS,
  RETRY_MS,
  atOnceBytes,
  decidePrimaryCheckpoint,
  hardLimitBytes,
} from "./primary-checkpoint-policy.ts";
import type { PrimaryWalState } from "./primary-checkpoint-policy.ts";

const SOFT = 16 << 20;
const small: PrimaryWalState = {
  frames: 10,
  isHeldBack: false,
  frameBytes: 4120,
  softLimitBytes: SOFT,
  mayRestart: false,
  isCopying: false,
  isHolding: false,
  lastCopyFrames: 0,
  sinceLastTryMs: Infinity,
  sinceVainHoldMs: Infinity,
  idleMs: 0,
};
const full = { ...small, frames: Math.ceil(SOFT / small.frameBytes) };
const overfull = { ...full, frames: Math.ceil(hardLimitBytes(SOFT) / small.frameBytes) };
const copied = { ...overfull, lastCopyFrames: overfull.frames };

test("a small WAL is left alone while commits come", () => {
  expect(decidePrimaryCheckpoint(small)).toBe("none");
});

test("a WAL at its limit is copied", () => {
  expect(decidePrimaryCheckpoint(full)).toBe("copy");
  expect(decidePrimaryCheckpoint({ ...full, frames: full.frames - 1 })).toBe("none");
});

test("after a failed try there is a pause", () => {
  expect(decidePrimaryCheckpoint({ ...full, sinceLastTryMs: RETRY_MS - 1 })).toBe("none");
  expect(decidePrimaryCheckpoint({ ...full, sinceLastTryMs: RETRY_MS })).toBe("copy");
});

test("one at a time, and none while the WAL may restart already", () => {
  expect(decidePrimaryCheckpoint({ ...full, isCopying: true })).toBe("none");
  expect(decidePrimaryCheckpoint({ ...full, mayRestart: true })).toBe("none");
});

test("an idle database is copied too, once", () => {
  expect(decidePrimaryCheckpoint({ ...small, idleMs: IDLE_MS })).toBe("copy");
  expect(decidePrimaryCheckpoint({ ...small, idleMs: IDLE_MS, frames: 0 })).toBe("none");
  expect(decidePrimaryCheckpoint({ ...small, idleMs: IDLE_MS, sinceLastTryMs: RETRY_MS })).toBe("none");
});

test("past the hard limit writers are held up for what one more copy has left over", () => {
  expect(decidePrimaryCheckpoint(overfull)).toBe("copy");
  expect(decidePrimaryCheckpoint({ ...overfull, lastCopyFrames: full.frames })).toBe("copy");
  expect(decidePrimaryCheckpoint(copied)).toBe("hold");
});

test("but only where it helps, and seldom in vain", () => {
  expect(decidePrimaryCheckpoint({ ...copied, sinceVainHoldMs: HOLD_RETRY_MS - 1 })).toBe("copy");
  expect(decidePrimaryCheckpoint({ ...copied, isHeldBack: true })).toBe("copy");
});

test("past the hard limit, the pause after a copy does not count", () => {
  expect(decidePrimaryCheckpoint({ ...overfull, sinceLastTryMs: 0 })).toBe("copy");
  expect(decidePrimaryCheckpoint({ ...copied, sinceLastTryMs: 0 })).toBe("hold");
});

test("writers that outrun a copy are held up while it is under way", () => {
  const outrun = { ...full, frames: Math.ceil(atOnceBytes(SOFT) / small.frameBytes) };
  expect(decidePrimaryCheckpoint(outrun)).toBe("hold");
  expect(decidePrimaryCheckpoint({ ...outrun, isCopying: true })).toBe("hold");
  expect(decidePrimaryCheckpoint({ ...outrun, isHolding: true })).toBe("none");
  expect(decidePrimaryCheckpoint({ ...outrun, isHeldBack: true })).toBe("copy");
});

test("whatever the state, a full WAL that may be copied is not left alone for longer than the pause", () => {
  fc.assert(
    fc.property(
      fc.nat(1 << 20),
      fc.boolean(),
      fc.nat(5000),
      fc.nat(5000),
      (more, isHeldBack, tryMs, holdMs) => {
        const state = { ...full, isHeldBack, frames: full.frames + more };
        const action = decidePrimaryCheckpoint({ ...state, sinceLastTryMs: tryMs, sinceVainHoldMs: holdMs });
        if (tryMs >= RETRY_MS) expect(action).not.toBe("none");
        if (isHeldBack) expect(["none", "copy"]).toContain(action);
      },
    ),
  );
});

test("the hard limit is 64 MiB, but for soft limits that are far from it", () => {
  expect([64 << 10, 1 << 20, 8 << 20, 16 << 20, 1 << 28].map((soft) => hardLimitBytes(soft) / soft)).toEqual([
    64, 64, 8, 4, 4,
  ]);
});
