import { TailraceError } from "../errors.ts";
import { compareCursors } from "../format/cursor.ts";
import type { Cursor } from "../units.ts";
import type { NodeHead } from "./engine.ts";
import { RETRY_AFTER_SECONDS } from "./limits.ts";
import type { NodeState } from "./node-state.ts";

interface Waiter {
  readonly logId: string;
  readonly cursor: Cursor;
  /** When it began to wait, the head was all there was. */
  readonly wasFresh: boolean;
  readonly resume: () => void;
}

/** Requests held at the end of the log. A new head resumes them; their own timers only end the wait for nothing. */
export class Waiters {
  private readonly waiting = new Set<Waiter>();
  private readonly state: NodeState;
  private readonly maxWaiting: number;

  constructor(state: NodeState, maxWaiting: number) {
    this.state = state;
    this.maxWaiting = maxWaiting;
    state.onChange(() => this.resumeDue());
  }

  get count(): number {
    return this.waiting.size;
  }

  /**
   * Resolves when there are log bytes past the cursor, when the log is another or cannot be served, when this node has lost
   * touch with the primary (the asker takes itself for fresh while it waits), when the time is over, or when the asker has
   * gone.
   *
   * @throws overloaded
   */
  wait(logId: string, cursor: Cursor, waitMs: number, onGone: (resume: () => void) => void): Promise<void> {
    if (this.waiting.size >= this.maxWaiting) {
      throw new TailraceError("overloaded", `${this.maxWaiting} requests are waiting already`, {
        retryable: true,
        hint: `Ask again after ${RETRY_AFTER_SECONDS} s, or follow another node.`,
      });
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = {
      logId,
      cursor,
      wasFresh: isFresh(this.state.lastHead),
      resume: () => {
        clearTimeout(timer);
        this.waiting.delete(waiter);
        resolve();
      },
    };
    const timer = setTimeout(waiter.resume, waitMs);
    this.waiting.add(waiter);
    onGone(waiter.resume);
    // What changed since the asker looked must not be slept through.
    if (this.isDue(waiter)) waiter.resume();
    return promise;
  }

  private resumeDue(): void {
    for (const waiter of this.waiting) if (this.isDue(waiter)) waiter.resume();
  }

  private isDue({ logId, cursor, wasFresh }: Waiter): boolean {
    const { unready, lastHead } = this.state;
    if (unready !== undefined || lastHead?.logId !== logId) return true;
    return compareCursors(lastHead.end, cursor) > 0 || (wasFresh && !isFresh(lastHead));
  }
}

function isFresh(head: NodeHead | undefined): boolean {
  return (head?.freshAsOfMs ?? null) === null;
}
