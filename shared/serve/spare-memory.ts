/** Below this, memory is cheaper had anew than kept. */
const MIN_BYTES: number = 256 << 10;
/** Chunks come in few sizes: what one replica in a backlog asks for, and one read ahead for it. */
const MAX_SPARES = 2;

/**
 * Large buffers that are used again. V8 counts their bytes as garbage to come: made anew for each chunk, they set off a
 * full collection every few chunks, which costs more than reading and sending them.
 */
export class SpareMemory {
  private readonly spares: Buffer<ArrayBuffer>[] = [];

  /** So many bytes with anything in them. */
  take(sizeBytes: number): Buffer<ArrayBuffer> {
    // One that is much too large is not wasted on a small chunk.
    const index = this.spares.findIndex(
      ({ length }) => length >= sizeBytes && length <= Math.max(2 * sizeBytes, MIN_BYTES),
    );
    if (index < 0) return Buffer.allocUnsafeSlow(sizeBytes);
    const [spare] = this.spares.splice(index, 1);
    return spare!.subarray(0, sizeBytes);
  }

  /** Takes back what {@link take} gave: nobody reads or writes it any more. */
  give(memory: Buffer<ArrayBuffer>): void {
    if (memory.buffer.byteLength < MIN_BYTES) return free(memory);
    this.spares.push(Buffer.from(memory.buffer));
    if (this.spares.length > MAX_SPARES) free(this.spares.shift()!);
  }

  /** Nobody wants any for now. */
  clear(): void {
    for (const spare of this.spares.splice(0)) free(spare);
  }
}

/** At once: V8 would do it with its next full collection, and an idle thread has none for hours. */
function free({ buffer }: Buffer<ArrayBuffer>): void {
  buffer.transfer(0);
}
