const FIRST_BYTES = 4096;

/** The bytes of a file, in memory that grows in steps. */
export class Image {
  private memory: Buffer;
  private length: number;

  /** Copies the bytes. */
  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.memory = Buffer.from(bytes);
    this.length = bytes.length;
  }

  get size(): number {
    return this.length;
  }

  /** A view, good until the next change. */
  get bytes(): Buffer {
    return this.memory.subarray(0, this.length);
  }

  /** What lies between the end and `offset` reads as zeros. */
  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    this.reserve(end);
    this.memory.set(bytes, offset);
    this.length = Math.max(this.length, end);
  }

  truncate(size: number): void {
    this.reserve(size);
    // What is cut off reads as zeros when the file grows again.
    if (size < this.length) this.memory.fill(0, size, this.length);
    this.length = size;
  }

  private reserve(size: number): void {
    if (size <= this.memory.length) return;
    const grown = Buffer.alloc(Math.max(size, FIRST_BYTES, this.memory.length * 2));
    this.memory.copy(grown, 0, 0, this.length);
    this.memory = grown;
  }
}
