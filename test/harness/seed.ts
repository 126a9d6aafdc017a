/** Chance from a seed (mulberry32), so that a failure can be had again: TEST_SEED=n repeats it. */
export class Chance {
  readonly seed: number;
  private state: number;

  constructor(seed: number = Number(process.env["TEST_SEED"] ?? Date.now() % 1_000_000_007)) {
    this.seed = seed;
    this.state = seed;
  }

  /** From 0, below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }
}
