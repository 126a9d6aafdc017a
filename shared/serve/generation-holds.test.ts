import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GenerationHolds, HOLD_AFTER_DOWNLOAD_MS } from "./generation-holds.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface World {
  readonly holds: GenerationHolds;
  /** What the engine was told, report by report. */
  readonly told: (readonly number[])[];
}

function world(engine: () => Promise<void> = async () => {}): World {
  const told: (readonly number[])[] = [];
  const tell = async (): Promise<void> => {
    told.push(holds.held);
    await engine();
  };
  const holds: GenerationHolds = new GenerationHolds({ tell, onEnd: () => told.push(holds.held) });
  return { holds, told };
}

test("held from the first download until a minute after the last, and the engine knows", async () => {
  const { holds, told } = world();
  const first = await holds.begin(3);
  const second = await holds.begin(3);
  expect(holds.downloadsOf(3)).toBe(2);
  first();
  await vi.advanceTimersByTimeAsync(2 * HOLD_AFTER_DOWNLOAD_MS);
  expect(holds.held).toEqual([3]);
  second();
  expect(holds.downloadsOf(3)).toBe(1);
  await vi.advanceTimersByTimeAsync(HOLD_AFTER_DOWNLOAD_MS - 1);
  expect(holds.held).toEqual([3]);
  await vi.advanceTimersByTimeAsync(1);
  expect(holds.held).toEqual([]);
  expect(holds.downloadsOf(3)).toBe(0);
  expect(told).toEqual([[3], []]);
});

test("another download within the minute begins it anew", async () => {
  const { holds, told } = world();
  (await holds.begin(3))();
  await vi.advanceTimersByTimeAsync(HOLD_AFTER_DOWNLOAD_MS - 1);
  const again = await holds.begin(3);
  await vi.advanceTimersByTimeAsync(HOLD_AFTER_DOWNLOAD_MS);
  again();
  (await holds.begin(4))();
  expect(holds.held).toEqual([3, 4]);
  expect(told).toEqual([[3], [3, 4]]);
});

test("of those that nobody downloads any more only the last few are held, however many there were", async () => {
  const { holds, told } = world();
  const slow = await holds.begin(1);
  for (const generation of [2, 3, 4]) (await holds.begin(generation))();
  expect(holds.held).toEqual([1, 3, 4]);
  (await holds.begin(3))();
  (await holds.begin(5))();
  expect(holds.held).toEqual([1, 3, 5]);
  expect(told.at(-1)).toEqual([1, 3, 5]);
  slow();
  expect(holds.held).toEqual([5, 1]);
  await vi.advanceTimersByTimeAsync(HOLD_AFTER_DOWNLOAD_MS);
  expect(holds.held).toEqual([]);
});

test("no download begins before the engine has answered, whoever was the first to ask", async () => {
  const answer = Promise.withResolvers<void>();
  const { holds, told } = world(() => answer.promise);
  let begun = 0;
  const both = [1, 2].map(() => holds.begin(3).then(() => (begun += 1)));
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toBe(0);
  answer.resolve();
  await Promise.all(both);
  expect(told).toEqual([[3]]);
});

test("an engine that cannot be told: the download fails, and the next one tells it again", async () => {
  let isDown = true;
  const { holds, told } = world(() => (isDown ? Promise.reject(new Error("gone")) : Promise.resolve()));
  await expect(holds.begin(3)).rejects.toThrow("gone");
  expect(holds.downloadsOf(3)).toBe(1); // it may have heard of it
  isDown = false;
  (await holds.begin(3))();
  expect(told).toEqual([[3], [3]]);
});
