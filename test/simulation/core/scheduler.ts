import type { SimulatedProcess } from "./process.ts";
import { runIn } from "./process.ts";

/** The real one, whatever becomes of the global. */
const { setImmediate } = globalThis;

/** What reading a clock takes. */
const TICK_MS = 0.002;

export interface Scheduled {
  readonly atMs: number;
  readonly what: string;
  cancel(): void;
}

interface Event extends Scheduled {
  readonly sequence: number;
  readonly owner: SimulatedProcess | undefined;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Virtual time, and all that is to happen in it. Events at the same moment happen in the order they were asked for. */
export class Scheduler {
  nowMs = 0;
  private readonly heap: Event[] = [];
  private sequence = 0;

  get pendingCount(): number {
    return this.heap.length;
  }

  /** Reads the clock; that takes a moment. */
  tick(): number {
    this.nowMs += TICK_MS;
    return this.nowMs;
  }

  /** @param owner the event does not happen when this process is dead by then */
  after(delayMs: number, what: string, owner: SimulatedProcess | undefined, run: () => void): Scheduled {
    const event: Event = {
      atMs: this.nowMs + Math.max(0, delayMs),
      sequence: this.sequence++,
      what,
      owner,
      run,
      isCancelled: false,
      cancel: () => {
        event.isCancelled = true;
      },
    };
    this.push(event);
    return event;
  }

  /** Lets the next event happen, and all that follows from it at once. @returns what it was; undefined when nothing is left */
  async step(): Promise<string | undefined> {
    for (let event = this.pop(); event !== undefined; event = this.pop()) {
      const { owner } = event;
      if (event.isCancelled || owner?.isAlive === false) continue;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      if (owner === undefined) event.run();
      else runIn(owner, event.run);
      await new Promise((resolve) => setImmediate(resolve));
      return event.what;
    }
    return undefined;
  }

  private push(event: Event): void {
    const { heap } = this;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(heap[parent]!, event)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  private pop(): Event | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (isBefore(last, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs === b.atMs ? a.sequence < b.sequence : a.atMs < b.atMs;
}
