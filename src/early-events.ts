/**
 * Keeps what happens while something is being opened until whoever opens it has had the time to listen: they cannot
 * add a listener before they have the object.
 */
export class EarlyEvents {
  private waiting: (() => void)[] | undefined = [];

  /** Calls `deliver` now, or when the time has come. */
  deliver(deliver: () => void): void {
    if (this.waiting === undefined) deliver();
    else this.waiting.push(deliver);
  }

  /** To be called when the opened object is about to be returned. */
  release(): void {
    // Not a microtask: the awaiting caller's own code comes first.
    setImmediate(() => {
      const waiting = this.waiting ?? [];
      this.waiting = undefined;
      for (const deliver of waiting) deliver();
    });
  }
}
