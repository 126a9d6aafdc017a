import { open } from "node:fs/promises";

const BLOCK_BYTES = 1024 * 1024;

/**
 * Compares two files byte for byte. Only for files that no SQLite connection of this process has open: closing a
 * descriptor would drop its locks.
 *
 * @returns the offset of the first byte that differs, or undefined when the files are the same
 */
export async function firstDifference(fileA: string, fileB: string): Promise<number | undefined> {
  await using a = await open(fileA);
  await using b = await open(fileB);
  const blockA = Buffer.alloc(BLOCK_BYTES);
  const blockB = Buffer.alloc(BLOCK_BYTES);
  for (let offset = 0; ; offset += BLOCK_BYTES) {
    const [{ bytesRead: lengthA }, { bytesRead: lengthB }] = await Promise.all([
      a.read(blockA, 0, BLOCK_BYTES, offset),
      b.read(blockB, 0, BLOCK_BYTES, offset),
    ]);
    const length = Math.min(lengthA, lengthB);
    if (!blockA.subarray(0, length).equals(blockB.subarray(0, length))) {
      for (let index = 0; index < length; index++) if (blockA[index] !== blockB[index]) return offset + index;
    }
    if (lengthA !== lengthB) return offset + length;
    if (lengthA < BLOCK_BYTES) return undefined;
  }
}
