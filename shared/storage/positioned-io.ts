import { readSync, write, writeSync } from "node:fs";

const REWRITE_BYTES = 1 << 20;

/** Fills `into` from the file at `offset`. @returns how many bytes there were: fewer than asked at the file's end only */
export function readAt(descriptor: number, into: Uint8Array, offset: number): number {
  let done = 0;
  while (done < into.length) {
    const size = readSync(descriptor, into, done, into.length - done, offset + done);
    if (size === 0) break;
    done += size;
  }
  return done;
}

/** Fills `into` from the file at `offset`; what lies past the file's end reads as zeros. */
export function readAtOrZeros(descriptor: number, into: Uint8Array, offset: number): void {
  into.fill(0, readAt(descriptor, into, offset));
}

/** Writes all of `bytes` to the file at `offset`. */
export function writeAt(descriptor: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  }
}

/** The same on another thread. @param bytes stay as they are until the promise settles */
export async function writeInBackground(
  descriptor: number,
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await new Promise<number>((resolve, reject) => {
      write(descriptor, bytes, done, bytes.length - done, offset + done, (error, size) =>
        error === null ? resolve(size) : reject(error),
      );
    });
  }
}

/**
 * Writes once more what is read from the file, from a place to its end. What a sync has failed for is read back as it was written,
 * and may be lost all the same, though the next sync succeeds: that one is to be believed only after this.
 */
export function writeAgain(descriptor: number, from: number): void {
  const buffer = Buffer.alloc(REWRITE_BYTES);
  for (let offset = from; ;) {
    const size = readAt(descriptor, buffer, offset);
    if (size === 0) break;
    writeAt(descriptor, buffer.subarray(0, size), offset);
    offset += size;
  }
}
