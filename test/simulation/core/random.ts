import { createHash } from "node:crypto";

/** Numbers by chance that a seed determines. */
export class Random {
  private readonly seed: string;
  private readonly state: Uint32Array;

  constructor(seed: string) {
    this.seed = seed;
    const digest = createHash("sha256").update(seed).digest();
    this.state = Uint32Array.from([0, 4, 8, 12], (offset) => digest.readUInt32LE(offset));
  }

  /** From 0 to below 1. */
  float(): number {
    return this.next() / 2 ** 32;
  }

  /** A whole number from 0 to below the limit. */
  int(below: number): number {
    return Math.floor(this.float() * below);
  }

  chance(probability: number): boolean {
    return this.float() < probability;
  }

  pick<T>(of: readonly T[]): T {
    return of[this.int(of.length)] as T;
  }

  /** Numbers of its own, whatever is drawn here. */
  fork(name: string): Random {
    return new Random(`${this.seed}/${name}`);
  }

  /** sfc32 (Chris Doty-Humphrey, PractRand). */
  private next(): number {
    const [a, b, c, counter] = this.state as unknown as [number, number, number, number];
    const sum = (a + b + counter) >>> 0;
    this.state[0] = b ^ (b >>> 9);
    this.state[1] = c + (c << 3);
    this.state[2] = ((c << 21) | (c >>> 11)) + sum;
    this.state[3] = counter + 1;
    return sum;
  }
}
