/** After a download: whoever has the image comes back for the log after it when it is checked and in place. */
export const HOLD_AFTER_DOWNLOAD_MS = 60_000;
/**
 * Generations that are held when nobody downloads them: the last ones that somebody did. Who takes one snapshot after
 * another and looks at each must not fill the disk.
 */
export const MAX_AWAITED = 2;

interface Hold {
  downloads: number;
  /** Runs when nobody downloads. */
  timer: NodeJS.Timeout | undefined;
  /** Settles when the engine has been told. */
  told: Promise<void> | undefined;
}

export interface GenerationHoldsOptions {
  /** Tells the engine of {@link GenerationHolds.held} as it is now. */
  readonly tell: () => Promise<void>;
  /** Told when one is held no more. */
  readonly onEnd: () => void;
}

/** The snapshot generations that somebody downloads, or has until just now: neither they nor the log after them may go. */
export class GenerationHolds {
  private readonly options: GenerationHoldsOptions;
  private readonly holds = new Map<number, Hold>();

  constructor(options: GenerationHoldsOptions) {
    this.options = options;
  }

  get held(): readonly number[] {
    return [...this.holds.keys()];
  }

  /** Downloads under way, and one for those that have just ended. */
  downloadsOf(generation: number): number {
    const hold = this.holds.get(generation);
    return hold === undefined ? 0 : Math.max(1, hold.downloads);
  }

  /**
   * Resolves when the engine knows that the generation is held: only then is it sure to stay.
   *
   * @returns to be called when the download has ended
   * @throws what telling the engine throws; nothing is held by this call then
   */
  async begin(generation: number): Promise<() => void> {
    let hold = this.holds.get(generation);
    if (hold === undefined) {
      hold = { downloads: 0, timer: undefined, told: undefined };
      this.holds.set(generation, hold);
    }
    const begun = hold;
    begun.downloads += 1;
    clearTimeout(begun.timer);
    const end = (): void => this.end(generation, begun);
    try {
      begun.told ??= this.options.tell();
      await begun.told;
    } catch (error) {
      begun.told = undefined;
      end();
      throw error;
    }
    return end;
  }

  private end(generation: number, hold: Hold): void {
    hold.downloads -= 1;
    if (hold.downloads > 0) return;
    hold.timer = setTimeout(() => this.release(generation), HOLD_AFTER_DOWNLOAD_MS).unref();
    // In the order in which their downloads have ended.
    this.holds.delete(generation);
    this.holds.set(generation, hold);
    const awaited = [...this.holds].filter(([, { downloads }]) => downloads === 0);
    for (const [earlier] of awaited.slice(0, -MAX_AWAITED)) this.release(earlier);
  }

  private release(generation: number): void {
    clearTimeout(this.holds.get(generation)?.timer);
    this.holds.delete(generation);
    this.options.onEnd();
  }
}
