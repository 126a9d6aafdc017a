import * as real from "node:timers/promises";
import { currentProcess } from "../core/process.ts";
import type { SimulatedProcess } from "../core/process.ts";
import { clearSimulated, simulatedImmediate, simulatedTimeout } from "./timers.ts";

interface Options {
  readonly signal?: AbortSignal;
  readonly ref?: boolean;
}

export function setTimeout<T>(delayMs?: number, value?: T, options: Options = {}): Promise<T> {
  const process = currentProcess();
  if (process === undefined) return real.setTimeout<T>(delayMs, value, options);
  return pause(process, (done) => simulatedTimeout(done, delayMs), value as T, options);
}

export function setImmediate<T>(value?: T, options: Options = {}): Promise<T> {
  const process = currentProcess();
  if (process === undefined) return real.setImmediate<T>(value, options);
  return pause(process, (done) => simulatedImmediate(done), value as T, options);
}

/** Never ends for a process that is dead. */
function pause<T>(
  process: SimulatedProcess,
  start: (done: () => void) => unknown,
  value: T,
  { signal }: Options,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (!process.isAlive) return;
    if (signal?.aborted === true) return reject(aborted(signal));
    const abort = (): void => {
      clearSimulated(timer);
      reject(aborted(signal!));
    };
    const timer = start(() => {
      signal?.removeEventListener("abort", abort);
      resolve(value);
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}

function aborted(signal: AbortSignal): Error {
  const error = new Error("The operation was aborted", { cause: signal.reason });
  return Object.assign(error, { name: "AbortError", code: "ABORT_ERR" });
}
