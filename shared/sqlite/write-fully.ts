import { writeAt } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";

/** Writes all of the bytes at an offset. @throws storage_failed; retryable when the disk is full */
export function writeFully(descriptor: number, bytes: Uint8Array, offset: number): void {
  onStorage("write", `${bytes.length} bytes to the SQLite WAL`, () => writeAt(descriptor, bytes, offset));
}
