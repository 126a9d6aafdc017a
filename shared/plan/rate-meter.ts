/** The span over which a rate is taken. */
const WINDOW_MS = 60_000;
/** One sample in so long is enough. */
const SAMPLE_MS = 5_000;

/** How fast a number grows, over about the last minute. Holds a dozen samples. */
export class RateMeter {
  private samples: { readonly timeMs: number; readonly value: number }[] = [];
  private newest: { readonly timeMs: number; readonly value: number } | undefined;

  /** @param timeMs of a clock; where that was set back, the measuring begins anew */
  note(value: number, timeMs: number): void {
    const last = this.samples.at(-1);
    if (last !== undefined && timeMs < last.timeMs) this.samples = [];
    this.newest = { timeMs, value };
    if (last !== undefined && timeMs >= last.timeMs && timeMs - last.timeMs < SAMPLE_MS) return;
    this.samples.push(this.newest);
    // The oldest is the one at the window's edge or just past it.
    while (this.samples.length > 1 && timeMs - this.samples[1]!.timeMs >= WINDOW_MS) this.samples.shift();
  }

  /** A second; null until it was watched for some seconds. */
  get perSecond(): number | null {
    const [first] = this.samples;
    const { newest } = this;
    if (first === undefined || newest === undefined || newest.timeMs - first.timeMs < SAMPLE_MS) return null;
    return ((newest.value - first.value) * 1000) / (newest.timeMs - first.timeMs);
  }
}
