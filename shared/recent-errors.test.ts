import { expect, test } from "vitest";
import { MAX_RECENT_ERRORS, RecentErrors, recentError } from "./recent-errors.ts";

const error = (message: string, timeMs: number) =>
  recentError({ code: "unreachable", message, hint: undefined, retryable: true }, timeMs);

test("keeps the newest, and one that goes on once, with its last time", () => {
  const errors = new RecentErrors();
  expect(errors.newest).toBeNull();
  for (let index = 0; index < MAX_RECENT_ERRORS + 5; index++) errors.add(error(`try ${index}`, index));
  errors.add(error("try 24", 100));
  expect(errors.list).toHaveLength(MAX_RECENT_ERRORS);
  expect(errors.list[0]).toMatchObject({ message: "try 5", timeMs: 5, hint: null });
  expect(errors.newest).toEqual({ code: "unreachable", message: "try 24", hint: null, timeMs: 100 });
});
