import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { performance } from "node:perf_hooks";

/** How often the wal-index is looked at when nothing is announced: events can be lost, and idling must cost nothing. */
const FALLBACK_MS = 500;
/** The same where the system gives no events. */
const BLIND_FALLBACK_MS = 20;
/** Pauses of this thread right after an event: a commit is published microseconds after its frames are written. */
const SHORT_PAUSES = 4;
const SHORT_PAUSE_MS = 0.1;
/** Then pauses on the event loop, doubled each time: a large transaction, or the writer's fsync, is under way. */
const FIRST_PAUSE_MS = 1;
const LAST_PAUSE_MS = 50;
/** After this long without a commit, what was written is taken for a transaction that was rolled back. */
const PATIENCE_MS = 2000;

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
  private isWanted = false;

  /** @param path of the `-wal`; without it, or on a system without watches, the fallback alone serves */
  constructor(path: string) {
    this.path = path;
    this.start();
  }

  /**
   * Returns when it is worth while to look again: something is there or wanted, or enough time has passed.
   *
   * @param isThere looks, at the cost of one small read
   * @param maxMs not longer than this
   */
  async wait(isThere: () => boolean, maxMs: number): Promise<void> {
    const end = performance.now() + maxMs;
    if (!this.hasEvent) {
      this.isIdle = true;
      await this.pause(Math.min(maxMs, this.watcher === undefined ? BLIND_FALLBACK_MS : FALLBACK_MS));
      this.isIdle = false;
    }
    if (!this.hasEvent) return;
    this.hasEvent = false;
    for (let pause = 0; pause < SHORT_PAUSES; pause++) {
      if (isThere() || this.isWanted) break;
      Atomics.wait(sleeper, 0, 0, SHORT_PAUSE_MS);
    }
    const latest = Math.min(end, performance.now() + PATIENCE_MS);
    for (let pauseMs = FIRST_PAUSE_MS; !isThere() && !this.isWanted && performance.now() < latest;) {
      await this.pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS);
    }
    this.isWanted = false;
  }

  /** Ends a wait: somebody wants something, or knows of a commit. */
  notify(): void {
    this.hasEvent = true;
    this.isWanted = true;
    this.wake?.();
  }

  close(): void {
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
      this.watcher.on("error", () => {
        this.watcher?.close();
        this.watcher = undefined;
      });
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
