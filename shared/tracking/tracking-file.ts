import { failpoint } from "../failpoint.ts";
import type { Notice } from "../notice.ts";
import { systemCode } from "../system-error.ts";
import { trackingUnwritten } from "./announcements.ts";
import { writeReplicas } from "./replicas-file.ts";
import type { StoredTracking } from "./replicas-file.ts";

/** What moves all the time is written down so often, and the less often the more there is of it. */
const SAVE_MS = 5_000;
const REPLICAS_PER_SAVE = 500;
/** That somebody was seen again, and nothing else, is no reason to wake a disk. */
const SAVE_SIGHT_MS = 300_000;
/** New replicas are written down at once, but not each with a write of its own. */
const SAVE_NEW_MS = 250;
/** A full disk. */
const NO_SPACE = new Set(["ENOSPC", "EDQUOT"]);

/** What has changed: that somebody was seen again; where somebody stands; who there is, or has lost his place. */
export type Change = "sight" | "change" | "new";

const URGENCY: readonly Change[] = ["sight", "change", "new"];

export interface TrackingFileOptions {
  readonly file: string;
  /** Unix ms. */
  readonly clock: () => number;
  readonly notify: (notice: Notice) => void;
  readonly collect: () => Omit<StoredTracking, "savedMs">;
  /** How much {@link collect} will have to say. */
  readonly count: () => number;
}

/** When the tracking is written to its file: by what has changed, and how long ago the last time was. */
export class TrackingFile {
  private readonly options: TrackingFileOptions;
  private unsaved: Change | undefined;
  private savedMs: number;
  private isUnwritable = false;

  constructor(options: TrackingFileOptions) {
    this.options = options;
    this.savedMs = options.clock();
  }

  mark(change: Change): void {
    if (this.unsaved === undefined || URGENCY.indexOf(change) > URGENCY.indexOf(this.unsaved))
      this.unsaved = change;
  }

  /** Writes what has changed, if anything. @throws storage_failed */
  flush(): void {
    if (this.unsaved === undefined) return;
    const { file, clock, collect } = this.options;
    const nowMs = clock();
    writeReplicas(file, { savedMs: nowMs, ...collect() });
    this.unsaved = undefined;
    this.savedMs = nowMs;
    this.isUnwritable = false;
  }

  /** The same; a failure is told, once, and it is tried again later. */
  tryFlush(): void {
    const { file, clock, notify } = this.options;
    try {
      this.flush();
    } catch (error) {
      this.savedMs = clock();
      if (!this.isUnwritable)
        notify(trackingUnwritten(file, error instanceof Error ? error.message : String(error)));
      this.isUnwritable = true;
    }
  }

  /** Writes what has changed. @returns whether a crash makes nobody seem lost who is not; true where the disk is full */
  isOnDisk(): boolean {
    try {
      this.flush();
    } catch (error) {
      this.tryFlush();
      // Dropping log is what helps against it.
      const cause = (error as { cause?: unknown }).cause ?? error;
      return NO_SPACE.has(systemCode(cause) ?? "");
    }
    failpoint("retention.tracked");
    return true;
  }

  flushIfDue(): void {
    if (this.unsaved === undefined) return;
    const sinceMs = this.options.clock() - this.savedMs;
    const usualMs = SAVE_MS * Math.max(1, this.options.count() / REPLICAS_PER_SAVE);
    const waitMs = { sight: SAVE_SIGHT_MS, change: usualMs, new: SAVE_NEW_MS };
    const dueMs = this.isUnwritable ? usualMs : waitMs[this.unsaved];
    // A clock that was set back must not put it off.
    if (sinceMs < 0 || sinceMs >= dueMs) this.tryFlush();
  }
}
