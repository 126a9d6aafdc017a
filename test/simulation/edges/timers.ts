import { currentThread } from "../core/process.ts";
import type { SimulatedThread } from "../core/process.ts";
import type { Scheduled } from "../core/scheduler.ts";

/** A busy machine comes to what is due a little late, now and then much. */
const LATE_MS = 0.3;
const BUSY_CHANCE = 0.005;
const BUSY_MS = 30;

type Callback = (...given: unknown[]) => void;

/** What setTimeout and its like return. */
class SimulatedTimer {
  private readonly thread: SimulatedThread;
  private readonly what: string;
  private readonly delayMs: number;
  private readonly isRepeated: boolean;
  private readonly run: () => void;
  private scheduled: Scheduled;

  constructor(what: string, delayMs: number, run: () => void, isRepeated = false) {
    const thread = currentThread()!;
    thread.process.cross(what);
    this.thread = thread;
    this.what = what;
    this.delayMs = delayMs;
    this.run = run;
    this.isRepeated = isRepeated;
    this.scheduled = this.schedule();
  }

  cancel(): void {
    this.scheduled.cancel();
  }

  close(): this {
    this.cancel();
    return this;
  }

  refresh(): this {
    this.cancel();
    this.scheduled = this.schedule();
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.cancel();
  }

  private schedule(): Scheduled {
    const { thread, what, delayMs } = this;
    const { random, machine } = thread.process;
    const lateMs = random.float() * (random.chance(BUSY_CHANCE) ? BUSY_MS : LATE_MS);
    return machine.scheduler.afterIn(delayMs + lateMs, what, thread, () => {
      if (this.isRepeated) this.scheduled = this.schedule();
      this.run();
    });
  }
}

export function simulatedTimeout(callback: Callback, delayMs = 1, ...given: unknown[]): SimulatedTimer {
  return new SimulatedTimer("timeout", atLeastOne(delayMs), () => callback(...given));
}

export function simulatedInterval(callback: Callback, delayMs = 1, ...given: unknown[]): SimulatedTimer {
  return new SimulatedTimer("interval", atLeastOne(delayMs), () => callback(...given), true);
}

export function simulatedImmediate(callback: Callback, ...given: unknown[]): SimulatedTimer {
  return new SimulatedTimer("immediate", 0, () => callback(...given));
}

/** @returns false for what is no simulated timer */
export function clearSimulated(timer: unknown): boolean {
  if (!(timer instanceof SimulatedTimer)) return false;
  timer.cancel();
  return true;
}

/** As node does with what is no time to wait. */
function atLeastOne(delayMs: number): number {
  return delayMs >= 1 && delayMs <= 2 ** 31 - 1 ? delayMs : 1;
}
