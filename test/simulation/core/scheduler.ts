import { ProcessDied, currentThread, runInThread } from "./process.ts";
import type { SimulatedProcess, SimulatedThread } from "./process.ts";

/** The real ones, whatever becomes of the globals. */
const { setImmediate } = globalThis;

/** What reading a clock takes. */
const TICK_MS = 0.002;
/** Who reads it this often within one event waits for time to pass: it passes faster then. */
const PATIENT_READS = 2_000;
const IMPATIENT_TICK_MS = 0.5;

export interface Scheduled {
  readonly atMs: number;
  readonly what: string;
  cancel(): void;
}

interface Event extends Scheduled {
  readonly sequence: number;
  readonly thread: SimulatedThread | undefined;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Virtual time, and all that is to happen in it. Events at the same moment happen in the order they were asked for. */
export class Scheduler {
  nowMs = 0;
  private heap: Event[] = [];
  private sequence = 0;
  private readsInStep = 0;
  private held = 0;
  private first = 0x811c9dc5;
  private second = 0x9747b28c;
  private isStepping = false;
  private stepping: SimulatedThread | undefined;
  private uncaught: unknown;

  /**
   * Whether more than so many events are yet to happen. Those that never will, taken back or of dead threads, are let go of
   * when there may be too many: mostly the question costs nothing.
   */
  hasMoreThan(limit: number): boolean {
    if (this.heap.length > limit)
      this.heap = this.heap
        .filter((event) => willHappen(event))
        .toSorted((a, b) => (isBefore(a, b) ? -1 : 1));
    return this.heap.length > limit;
  }

  /** Of all that has happened so far: two runs are the same when this is. */
  get digest(): string {
    return [this.first, this.second].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** Reads the clock; that takes a moment. */
  tick(): number {
    this.nowMs += ++this.readsInStep > PATIENT_READS ? IMPATIENT_TICK_MS : TICK_MS;
    return this.nowMs;
  }

  /** Nothing else happens in the meantime. */
  advance(ms: number): void {
    this.nowMs += Math.max(0, ms);
  }

  /** @param owner the event does not happen when this process, or the thread of it that asks, is dead by then */
  after(delayMs: number, what: string, owner: SimulatedProcess | undefined, run: () => void): Scheduled {
    const asking = currentThread();
    return this.afterIn(delayMs, what, asking?.process === owner ? asking : owner?.mainThread, run);
  }

  afterIn(delayMs: number, what: string, thread: SimulatedThread | undefined, run: () => void): Scheduled {
    const event: Event = {
      atMs: this.nowMs + Math.max(0, delayMs),
      sequence: this.sequence++,
      what,
      thread,
      run,
      isCancelled: false,
      cancel: () => {
        event.isCancelled = true;
      },
    };
    this.push(event);
    return event;
  }

  /** The step that is under way lasts until the promise has settled: for what only the real system can do, such as a module's load. */
  hold(promise: Promise<unknown>): void {
    this.held += 1;
    const release = (): void => {
      this.held -= 1;
    };
    promise.then(release, release);
  }

  /** Something that the digest is to know. */
  note(text: string): void {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      this.first = Math.imul(this.first ^ code, 0x01000193);
      this.second = Math.imul(this.second ^ code, 0x5bd1e995) ^ (this.second >>> 15);
    }
  }

  /** For the one handler of what nothing has caught: the error belongs to the step that is under way. @throws it, if none is */
  fail(error: unknown): void {
    const { stepping } = this;
    if (!this.isStepping) throw error;
    if (stepping === undefined) this.uncaught ??= error;
    else this.crash(stepping, error);
  }

  /**
   * Lets the next event happen, and all that follows from it at once.
   *
   * @returns what it was; undefined when nothing is left
   * @throws whatever nothing has caught, unless its thread or process sees to that
   */
  async step(): Promise<string | undefined> {
    for (let event = this.pop(); event !== undefined; event = this.pop()) {
      const { thread, what } = event;
      if (!willHappen(event)) continue;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      this.readsInStep = 0;
      const where = thread === undefined ? "" : `${thread.process.name} ${thread.name}: `;
      this.note(`${where}${what} ${event.atMs}`);
      this.isStepping = true;
      this.stepping = thread;
      this.carryOut(event);
      await this.drain();
      this.isStepping = false;
      const { uncaught } = this;
      this.uncaught = undefined;
      if (uncaught !== undefined) throw uncaught;
      return where + what;
    }
    return undefined;
  }

  /** Until no promise and no next tick is left that the event has caused. */
  private async drain(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.held > 0);
  }

  private carryOut({ thread, run }: Event): void {
    try {
      if (thread === undefined) run();
      else runInThread(thread, run);
    } catch (error) {
      if (thread === undefined) this.uncaught ??= error;
      else this.crash(thread, error);
    }
  }

  private crash(thread: SimulatedThread, error: unknown): void {
    // A dead process may say what it likes.
    if (error instanceof ProcessDied || !thread.isAlive) return;
    try {
      runInThread(thread, () => thread.crash(error));
    } catch (unheeded) {
      this.uncaught ??= unheeded;
    }
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

function willHappen({ isCancelled, thread }: Event): boolean {
  return !isCancelled && thread?.isAlive !== false;
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs === b.atMs ? a.sequence < b.sequence : a.atMs < b.atMs;
}
