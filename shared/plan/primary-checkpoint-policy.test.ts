import { expect, test } from "vitest";
import {
  HARD_LIMIT_FACTOR,
  HOLD_RETRY_MS,
  IDLE_MS,
  RETRY_MS,
  decidePrimaryCheckpoint,
} from "./primary-checkpoint-policy.ts";
import type { PrimaryWalState } from "./primary-checkpoint-policy.ts";

const SOFT = 16 << 20;
const small: PrimaryWalState = {
  frames: 10,
  isHeldBack: false,
  frameBytes: 4120,
  softLimitBytes: SOFT,
  mayRestart: false,
  isRunning: false,
  sinceLastTryMs: Infinity,
  sinceLastHoldMs: Infinity,
  idleMs: 0,
};
const full = { ...small, frames: Math.ceil(SOFT / small.frameBytes) };
const overfull = { ...full, frames: HARD_LIMIT_FACTOR * full.frames };

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
  expect(decidePrimaryCheckpoint({ ...full, isRunning: true })).toBe("none");
  expect(decidePrimaryCheckpoint({ ...full, mayRestart: true })).toBe("none");
});

test("an idle database is copied too, once", () => {
  expect(decidePrimaryCheckpoint({ ...small, idleMs: IDLE_MS })).toBe("copy");
  expect(decidePrimaryCheckpoint({ ...small, idleMs: IDLE_MS, frames: 0 })).toBe("none");
  expect(decidePrimaryCheckpoint({ ...small, idleMs: IDLE_MS, sinceLastTryMs: RETRY_MS })).toBe("none");
});

test("writers are held up only past the hard limit, where it helps, and seldom", () => {
  expect(decidePrimaryCheckpoint(overfull)).toBe("hold");
  expect(decidePrimaryCheckpoint({ ...overfull, sinceLastHoldMs: HOLD_RETRY_MS - 1 })).toBe("copy");
  expect(decidePrimaryCheckpoint({ ...overfull, isHeldBack: true })).toBe("copy");
});
