import { expect, test } from "vitest";
import { startProcess, withMachine } from "../edges/testing-machine.ts";
import { Scheduler } from "./scheduler.ts";

test("what was taken back, and what the dead have left, is not under way; what remains happens in its order", async () => {
  const scheduler = new Scheduler();
  const happened: number[] = [];
  const dead = withMachine("counting", (machine) => startProcess(machine));
  for (const at of [5, 1, 4, 2, 3]) {
    scheduler.after(at, `at ${at}`, undefined, () => happened.push(at));
    scheduler.after(at, "taken back", undefined, () => happened.push(0)).cancel();
    scheduler.after(at, "of the dead", dead, () => happened.push(0));
  }
  dead.kill();
  expect(scheduler.hasMoreThan(4)).toBe(true);
  expect(scheduler.hasMoreThan(5)).toBe(false);
  while ((await scheduler.step()) !== undefined);
  expect(happened).toEqual([1, 2, 3, 4, 5]);
});
