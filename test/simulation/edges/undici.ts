import { createRequire } from "node:module";
import type { Pool as PoolOf } from "undici";
import RealPool from "undici/lib/dispatcher/pool.js";
import { currentProcess } from "../core/process.ts";
import { Network } from "../network/network.ts";

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/*
 * undici counts long waits for all its users by one timer, which would belong to the process that happens to start it, and
 * die with it. Each gets a timer of its own instead.
 */
const undici = createRequire(import.meta.url).resolve("undici");
const timers = createRequire(undici)("./lib/util/timers.js") as Record<string, unknown>;
Object.assign(timers, {
  setTimeout: (callback: (given: unknown) => void, delayMs: number, given: unknown) =>
    globalThis.setTimeout(callback, delayMs, given),
  setFastTimeout: (callback: (given: unknown) => void, delayMs: number, given: unknown) =>
    globalThis.setTimeout(callback, delayMs, given),
  clearTimeout: (timer: NodeJS.Timeout) => globalThis.clearTimeout(timer),
  clearFastTimeout: (timer: NodeJS.Timeout) => globalThis.clearTimeout(timer),
});

/** The real one, over a simulated network where a simulated process uses it. */
export default class Pool extends RealPool {
  constructor(origin: string, options: PoolOf.Options) {
    const process = currentProcess();
    if (process === undefined) super(origin, options);
    else {
      const timeoutMs = options.connectTimeout ?? DEFAULT_CONNECT_TIMEOUT_MS;
      super(origin, {
        ...options,
        connect: ({ port }, done) =>
          Network.of(process.machine).connect(process, Number(port), timeoutMs, done),
      });
    }
  }
}
