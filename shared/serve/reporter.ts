import type { ServeReport, Sighting } from "./engine.ts";

/** The least time from one report to the next. */
export const REPORT_MS = 250;
/** A thousand replicas that all ask come to a report of some 1 ms of work on both sides; more of them, to fewer reports. */
const REPORTED_PER_MS = 4;
const MAX_REPORT_MS = 2_500;

export interface ReporterOptions {
  readonly takeChanged: () => Sighting[];
  readonly giveBack: (sightings: readonly Sighting[]) => void;
  readonly heldGenerations: () => readonly number[];
  readonly send: (report: ServeReport) => Promise<void>;
  /** Whether nobody will ever take a report again. */
  readonly isEngineGone: () => boolean;
  /** Unix ms. */
  readonly clock: () => number;
}

/**
 * Tells the engine what the server has seen: at once of what is new, of the rest now and then, and along with questions.
 * Nothing runs while nothing changes, and never is more than one report of its own under way: an engine that hangs is not
 * buried in them.
 */
export class Reporter {
  private readonly options: ReporterOptions;
  private readonly pending = new Set<{ readonly sentMs: number }>();
  private timer: NodeJS.Timeout | undefined;
  private isSending = false;
  private isUrgent = false;
  private isDue = false;
  private lastCount = 0;

  constructor(options: ReporterOptions) {
    this.options = options;
  }

  /** Something has changed. @param isUrgent the engine has to know soon */
  changed(isUrgent: boolean): void {
    if (isUrgent) this.isUrgent = true;
    this.isDue = true;
    this.arm();
  }

  /** Since when the engine owes an answer, Unix ms; undefined when it owes none. */
  get pendingSinceMs(): number | undefined {
    for (const { sentMs } of this.pending) return sentMs;
    return undefined;
  }

  /** Sends a report now, alone or with a question. What it tells counts as told, unless that fails. */
  async along<T>(send: (report: ServeReport) => Promise<T>): Promise<T> {
    const { takeChanged, giveBack, heldGenerations, clock } = this.options;
    const sightings = takeChanged();
    this.isDue = false;
    this.isUrgent = false;
    const sent = { sentMs: clock() };
    this.pending.add(sent);
    try {
      return await send({ sightings, heldGenerations: heldGenerations() });
    } catch (error) {
      giveBack(sightings);
      this.isDue = true;
      throw error;
    } finally {
      this.pending.delete(sent);
      this.lastCount = sightings.length;
      this.arm();
    }
  }

  private arm(): void {
    if (this.isSending || !this.isDue || this.options.isEngineGone()) return;
    if (this.isUrgent) {
      clearTimeout(this.timer);
      this.isSending = true;
      // Whatever else this turn of the event loop brings goes along.
      setImmediate(() => void this.report());
    } else {
      const pauseMs = Math.min(MAX_REPORT_MS, Math.max(REPORT_MS, this.lastCount / REPORTED_PER_MS));
      this.timer ??= setTimeout(() => void this.report(), pauseMs).unref();
    }
  }

  private async report(): Promise<void> {
    this.timer = undefined;
    this.isSending = true;
    // What failed has been given back. Where nothing is due any more, it went along with a question.
    if (this.isDue) await this.along(this.options.send).catch(() => undefined);
    this.isSending = false;
    this.arm();
  }
}
