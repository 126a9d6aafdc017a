import * as real from "node:perf_hooks";
import { currentProcess } from "../core/process.ts";

/** Its clock is virtual within a process: see globals.ts. */
export const performance: typeof globalThis.performance = globalThis.performance;

/** A simulated process is never late; its histogram is empty. */
export function monitorEventLoopDelay(
  options?: real.EventLoopMonitorOptions,
): ReturnType<typeof real.monitorEventLoopDelay> {
  const histogram = real.monitorEventLoopDelay(options);
  if (currentProcess() !== undefined) histogram.enable = () => true;
  return histogram;
}
