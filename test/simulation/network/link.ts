import type { Random } from "../core/random.ts";

/** How a way between two machines is. Everything can be changed at any time; what is under way meets it as it finds it. */
export interface LinkQuality {
  readonly latencyMs: number;
  /** Added by chance to each packet. */
  readonly jitterMs: number;
  readonly bytesPerMs: number;
  /** Of a piece of a body having a bit flipped. */
  readonly corruptChance: number;
  /** Of a request being sent a second time, by something in between that drops the second answer. */
  readonly duplicateChance: number;
  /** Of what is written at once arriving in parts. */
  readonly splitChance: number;
  /** Of a packet that gets lost, and comes when it has been sent again. */
  readonly lossChance: number;
}

export const GOOD: LinkQuality = {
  latencyMs: 0.2,
  jitterMs: 0.3,
  bytesPerMs: 100_000,
  corruptChance: 0,
  duplicateChance: 0,
  splitChance: 0.05,
  lossChance: 0.001,
};

const RETRANSMIT_MS = 200;

/** The way between two machines, or within one. */
export class Link {
  quality: LinkQuality = GOOD;
  private readonly random: Random;
  private parked: (() => void)[] = [];
  private isOpen = true;

  constructor(random: Random) {
    this.random = random;
  }

  get isCut(): boolean {
    return !this.isOpen;
  }

  /** Nothing gets through; what is sent waits, as TCP would send it again. */
  cut(): void {
    this.isOpen = false;
  }

  heal(): void {
    this.isOpen = true;
    for (const send of this.parked.splice(0)) send();
  }

  /** To be done when the way is free again. */
  park(send: () => void): void {
    this.parked.push(send);
  }

  delayMs(bytes: number): number {
    const { latencyMs, jitterMs, bytesPerMs, lossChance } = this.quality;
    const againMs = this.random.chance(lossChance) ? RETRANSMIT_MS : 0;
    return latencyMs + this.random.float() * jitterMs + bytes / bytesPerMs + againMs;
  }

  /** The pieces in which something arrives. */
  split(bytes: Buffer): readonly Buffer[] {
    if (bytes.length < 2 || !this.random.chance(this.quality.splitChance)) return [bytes];
    const at = 1 + this.random.int(bytes.length - 1);
    return [bytes.subarray(0, at), ...this.split(bytes.subarray(at))];
  }

  /** With a bit flipped, now and then: never in the head of a message, of which nothing vouches. */
  spoil(bytes: Buffer): Buffer {
    if (!this.random.chance(this.quality.corruptChance)) return bytes;
    const head = bytes.subarray(0, 5).toString("latin1") === "HTTP/" ? bytes.indexOf("\r\n\r\n") + 4 : 0;
    if (head >= bytes.length || isRequest(bytes)) return bytes;
    const at = head + this.random.int(bytes.length - head);
    bytes[at]! ^= 1 << this.random.int(8);
    return bytes;
  }

  isDuplicate(bytes: Buffer): boolean {
    return isRequest(bytes) && this.random.chance(this.quality.duplicateChance);
  }
}

function isRequest(bytes: Buffer): boolean {
  const start = bytes.subarray(0, 5).toString("latin1");
  return start.startsWith("GET ") || start.startsWith("HEAD ");
}
