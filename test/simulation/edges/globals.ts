import { runOtherThreads } from "./message-ports.ts";
import { currentProcess } from "../core/process.ts";
import { clearSimulated, simulatedImmediate, simulatedTimeout, simulatedInterval } from "./timers.ts";

const real = { Date: globalThis.Date, random: Math.random, wait: Atomics.wait };
const realNow = performance.now.bind(performance);

/** Monotonic; reading it takes a moment. */
function monotonicMs(): number {
  const process = currentProcess();
  return process === undefined ? realNow() : process.machine.scheduler.tick();
}

function wallMs(): number {
  const process = currentProcess();
  return process === undefined ? real.Date.now() : Math.floor(process.machine.clock.nowMs());
}

class SimulatedDate extends real.Date {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [wallMs()] : given) as [number]));
  }

  static override now(): number {
    return wallMs();
  }
}

/** Sleeps: other threads of the process go on meanwhile. The word that wakes it may be theirs. */
function wait(cells: Int32Array, index: number, value: number, timeoutMs: number): string {
  const process = currentProcess();
  if (process === undefined) return real.wait(cells, index, value, timeoutMs);
  process.cross("thread.sleep");
  if (Atomics.load(cells, index) !== value) return "not-equal";
  const { scheduler } = process.machine;
  const endMs = scheduler.nowMs + timeoutMs;
  runOtherThreads(process, endMs, () => Atomics.load(cells, index) !== value);
  if (Atomics.load(cells, index) !== value) return "ok";
  scheduler.advance(endMs - scheduler.nowMs);
  return "timed-out";
}

/** What a process has used says nothing of the simulated one, and differs from run to run. */
const CPU_USAGE = { user: 1_000_000, system: 1_000_000 };
const RESIDENT_BYTES = 100_000_000;

type AnyFunction = (...given: never[]) => unknown;

/** Within a simulated process the one, else the other. */
function either<F extends AnyFunction>(simulated: AnyFunction, otherwise: F): F {
  const chosen = (...given: never[]): unknown =>
    currentProcess() === undefined ? otherwise(...given) : simulated(...given);
  return Object.assign(chosen, otherwise);
}

function clear(otherwise: (timer: never) => void) {
  return (timer: unknown): void => {
    if (!clearSimulated(timer)) otherwise(timer as never);
  };
}

/** Clocks, timers and chance of the whole program; nothing changes for what is in no simulated process. */
export function installGlobals(): void {
  const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = globalThis;
  Object.assign(globalThis, {
    Date: SimulatedDate,
    setTimeout: either(simulatedTimeout, setTimeout),
    setInterval: either(simulatedInterval, setInterval),
    setImmediate: either(simulatedImmediate, setImmediate),
    clearTimeout: clear(clearTimeout),
    clearInterval: clear(clearInterval),
    clearImmediate: clear(clearImmediate),
  });
  Math.random = () => currentProcess()?.random.float() ?? real.random();
  Object.assign(Atomics, { wait });
  performance.now = monotonicMs;
  process.cpuUsage = either(() => CPU_USAGE, process.cpuUsage.bind(process));
  process.memoryUsage.rss = either(() => RESIDENT_BYTES, process.memoryUsage.rss.bind(process));
}
