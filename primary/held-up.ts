import { duration, size } from "../shared/human.ts";
import { notice } from "../shared/notice.ts";
import type { Notice } from "../shared/notice.ts";

/** What is held up for so long is told of: reports and backups read that long, too. */
const TELL_AFTER_MS = 60_000;

/** How far a copy of the SQLite WAL got. */
export interface CopyOutcome {
  readonly isComplete: boolean;
  /** In the database file. */
  readonly backfilledFrames: number;
  readonly walBytes: number;
}

export interface HeldUpOptions {
  /** A WAL smaller than this is nothing to tell of. */
  readonly minBytes: () => number;
  /** Unix ms. */
  readonly clock: () => number;
  readonly notify: (notice: Notice) => void;
}

/** Somebody reads an old state, which keeps the SQLite WAL from being copied past it, for as long as he does. */
export class HeldUp {
  private readonly options: HeldUpOptions;
  /** Frames in the database file after the last copy that was not complete; -1 after one that was. */
  private stuckAtFrame = -1;
  private since: number | null = null;
  private isTold = false;

  constructor(options: HeldUpOptions) {
    this.options = options;
  }

  /** Since when copies get no further, Unix ms; null while they do. */
  get sinceMs(): number | null {
    return this.since;
  }

  noted({ isComplete, backfilledFrames, walBytes }: CopyOutcome): void {
    const { clock, notify, minBytes } = this.options;
    const nowMs = clock();
    const isStuck = !isComplete && backfilledFrames === this.stuckAtFrame;
    this.stuckAtFrame = isComplete ? -1 : backfilledFrames;
    const sinceMs = Math.min(this.since ?? nowMs, nowMs);
    this.since = isStuck ? sinceMs : null;
    if (isStuck && !this.isTold && nowMs - sinceMs >= TELL_AFTER_MS && walBytes >= minBytes()) {
      this.isTold = true;
      const text = `a reader of an old state has held up checkpoints for ${duration(nowMs - sinceMs)}: the SQLite WAL grows, and has ${size(walBytes)}`;
      notify(notice("warn", "checkpoint_held_up", text, { sinceMs, walBytes }));
    } else if (this.isTold && isComplete) {
      this.isTold = false;
      notify(notice("info", "checkpoint_resumed", "checkpoints are no longer held up by a reader", {}));
    }
  }
}
