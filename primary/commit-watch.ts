import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { performance } from "node:perf_hooks";

/** How often the wal-index is looked at when nothing is announced: events can be lost, and idling must cost nothing. */
const FALLBACK_MS = 500;
/** The same where the system gives no events. */
const BLIND_FALLBACK_MS = 20;
/** Pauses of this thread when frames have come: their commit is published microseconds after the last of them. */
const SHORT_PAUSES = 4;
const SHORT_PAUSE_MS = 0.1;
/** Then pauses on the event loop, in proportion to the wait so far: the writer's fsync, or a large transaction. */
const FIRST_PAUSE_MS = 1;
const LAST_PAUSE_MS = 50;
const PAUSE_PART = 8;
/** Commits in a millisecond, over some time, from which on events are done without, and below which they are used again. */
const DENSE_RATE = 8;
const SPARSE_RATE = 2;
const RATE_WINDOW_MS = 20;
/** A round through primary and replica costs each what 3 commits cost: on two cores the writer pays for it too. */
const DENSE_PAUSE_MS = 4;
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
  /** Whether an event ends the pause that is under way. */
  private isAlert = false;
  private isWanted = false;
  /** Since when a commit is expected whose frames are being written. Outlasts a wait: no event tells of its end. */
  private expectedSinceMs: number | undefined;
  /** Commits come so fast that any look finds some. */
  private isDense = false;
  private windowStartMs = 0;
  private windowCommits = 0;

  /** @param path of the `-wal`; without it, or on a system without watches, the fallback alone serves */
  constructor(path: string) {
    this.path = path;
    this.start();
  }

  /**
   * Returns when it is worth while to look again: something is there or wanted, or enough time has passed.
   *
   * @param isThere looks for a commit, at the cost of one small read
   * @param isComing looks for frames that no commit has published yet, at the same cost. Without any, an event was but the
   * last one of the commit before
   * @param maxMs not longer than this
   * @param newCommits found by the caller since the last wait
   */
  async wait(
    isThere: () => boolean,
    isComing: () => boolean,
    maxMs: number,
    newCommits: number,
  ): Promise<void> {
    const end = performance.now() + maxMs;
    this.countCommits(newCommits);
    if (this.isDense) {
      if (!this.isWanted) await this.pause(DENSE_PAUSE_MS, false);
      this.isWanted = false;
      return;
    }
    const isExpecting = this.expectedSinceMs !== undefined;
    if (!this.hasEvent && !this.isWanted && !isExpecting)
      await this.pause(Math.min(maxMs, this.fallbackMs), true);
    if (this.hasEvent || isExpecting) {
      this.hasEvent = false;
      if (!isComing() || (await this.expect(isThere, end))) this.expectedSinceMs = undefined;
    }
    this.isWanted = false;
  }

  /** An event at each write slows a writer at full speed by some percent, and tells nothing that a look would not find. */
  private countCommits(newCommits: number): void {
    this.windowCommits += newCommits;
    const elapsedMs = performance.now() - this.windowStartMs;
    if (elapsedMs < RATE_WINDOW_MS) return;
    const rate = this.windowCommits / elapsedMs;
    if (!this.isDense && rate >= DENSE_RATE) {
      this.isDense = true;
      this.watcher?.close();
    } else if (this.isDense && rate < SPARSE_RATE) {
      this.isDense = false;
      this.start();
      // What came before the watch began was not told: the caller looks at once.
      this.hasEvent = true;
    }
    this.windowStartMs = performance.now();
    this.windowCommits = 0;
  }

  /** Waits for the commit of frames that are being written. @returns false when it is still to be expected at the end */
  private async expect(isThere: () => boolean, end: number): Promise<boolean> {
    const shortPauses = this.expectedSinceMs === undefined ? SHORT_PAUSES : 0;
    this.expectedSinceMs ??= performance.now();
    for (let pause = 0; pause < shortPauses && !isThere() && !this.isWanted; pause++)
      Atomics.wait(sleeper, 0, 0, SHORT_PAUSE_MS);
    while (!isThere()) {
      if (this.isWanted) return false;
      const now = performance.now();
      if (this.hasEvent) this.expectedSinceMs = now;
      this.hasEvent = false;
      const expectedMs = now - this.expectedSinceMs;
      if (expectedMs > PATIENCE_MS) return true;
      if (now > end) return false;
      const pauseMs = Math.max(FIRST_PAUSE_MS, Math.min(expectedMs / PAUSE_PART, LAST_PAUSE_MS, end - now));
      // A large transaction is thousands of events: they end long pauses only.
      await this.pause(pauseMs, pauseMs > FIRST_PAUSE_MS);
    }
    return true;
  }

  /** Ends a wait: somebody wants something, or knows of a commit. */
  notify(): void {
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
        if (this.isAlert) this.wake?.();
      });
      this.watcher.on("error", () => {
        this.watcher?.close();
        this.watcher = undefined;
      });
    } catch {
      // No watches left, or none on this system.
      this.watcher = undefined;
    }
  }

  private get fallbackMs(): number {
    return this.watcher === undefined ? BLIND_FALLBACK_MS : FALLBACK_MS;
  }

  private pause(maxMs: number, isAlert: boolean): Promise<void> {
    this.isAlert = isAlert;
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
