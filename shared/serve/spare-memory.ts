/** Below this, memory is cheaper had anew than kept. */
const MIN_BYTES: number = 256 << 10;
/** Chunks come in few sizes: what one replica in a backlog asks for, and one read ahead for it. */
const MAX_SPARES = 2;

/**
 * Large buffers that are used again. V8 counts their bytes as garbage to come: made anew for each chunk, they set off a
 * full collection every few chunks, which costs more than reading and sending them.
 */
export class SpareMemory {
  private readonly spares: Buffer[] = [];

  /** So many bytes with anything in them. */
  take(sizeBytes: number): Buffer {
    // One that is much too large is not wasted on a small chunk.
    const index = this.spares.findIndex(
      ({ length }) => length >= sizeBytes && length <= Math.max(2 * sizeBytes, MIN_BYTES),
    );
    if (index < 0) return Buffer.allocUnsafeSlow(sizeBytes);
    const [spare] = this.spares.splice(index, 1);
    return spare!.subarray(0, sizeBytes);
  }

  /** Takes back what {@link take} gave: nobody reads or writes it any more. */
  give({ buffer }: Buffer): void {
    if (buffer.byteLength < MIN_BYTES) return;
    this.spares.push(Buffer.from(buffer));
    if (this.spares.length > MAX_SPARES) this.spares.shift();
  }

  /** Nobody wants any for now. */
  clear(): void {
    this.spares.length = 0;
  }
}
