import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { performance } from "node:perf_hooks";

/** How often the wal-index is looked at when nothing announces a commit: events can be lost, and pauses are cheap. */
const FALLBACK_MS = 100;
/** Pauses of this thread right after an event: a commit is published microseconds after its frames are written. */
const SHORT_PAUSES = 4;
const SHORT_PAUSE_MS = 0.1;
/** Then pauses on the event loop, doubled each time: a large transaction, or the writer's fsync, is under way. */
const FIRST_PAUSE_MS = 1;
const LAST_PAUSE_MS = 50;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Waits for commits of any process. The kernel tells of writes to the `-wal`, which come just before the commit is
 * published in the wal-index, a memory map of which the kernel tells nothing.
 */
export class CommitWatch {
  private readonly path: string;
  private watcher: FSWatcher | undefined;
  private hasEvent = false;
  /** Ends the pause that is under way. */
  private wake: (() => void) | undefined;
  private isIdle = false;
  private isClosed = false;

  /** @param path of the `-wal`; without it, or on a system without watches, the fallback alone serves */
  constructor(path: string) {
    this.path = path;
    this.start();
  }

  /**
   * Returns when it is worth while to look again: something happened, or `maxMs` have passed (100 ms at most).
   *
   * @param isThere looks, at the cost of one small read
   */
  async wait(isThere: () => boolean, maxMs: number): Promise<void> {
    if (!this.hasEvent) {
      this.isIdle = true;
      await this.pause(Math.min(maxMs, FALLBACK_MS));
      this.isIdle = false;
    }
    if (!this.hasEvent || this.isClosed) return;
    this.hasEvent = false;
    for (let pause = 0; pause < SHORT_PAUSES; pause++) {
      if (isThere()) return;
      Atomics.wait(sleeper, 0, 0, SHORT_PAUSE_MS);
    }
    const end = performance.now() + maxMs;
    for (let pauseMs = FIRST_PAUSE_MS; pauseMs <= LAST_PAUSE_MS; pauseMs *= 2) {
      if (isThere() || this.isClosed || performance.now() > end) return;
      await this.pause(pauseMs);
    }
  }

  /** Ends a wait: somebody wants something, or knows of a commit. */
  notify(): void {
    this.hasEvent = true;
    this.wake?.();
  }

  close(): void {
    this.isClosed = true;
    this.watcher?.close();
    this.notify();
  }

  private start(): void {
    try {
      this.watcher = watch(this.path, { persistent: false }, () => {
        this.hasEvent = true;
        // A large transaction is thousands of events: they end the idle pause, and no other.
        if (this.isIdle) this.wake?.();
      });
      this.watcher.on("error", () => this.watcher?.close());
    } catch {
      // No watches left, or none on this system: commits are then seen within 100 ms.
    }
  }

  private pause(maxMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, maxMs);
      this.wake = done;
    });
  }
}
