import { ProcessDied } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

let heeding: Scheduler | undefined;

/** Rejections that nobody handles belong to the step of this scheduler in which they come up. */
export function heedUncaught(scheduler: Scheduler): void {
  heeding = scheduler;
}

function fail(error: unknown): void {
  if (error instanceof ProcessDied) return;
  if (heeding === undefined) throw error;
  heeding.fail(error);
}

export function watchForUncaught(): void {
  process.on("unhandledRejection", fail);
  process.on("uncaughtException", fail);
}
