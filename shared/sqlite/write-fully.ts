import { writeSync } from "node:fs";
import { TailraceError } from "../errors.ts";

/** Writes all of the bytes at an offset. @throws storage_failed; retryable when the disk is full */
export function writeFully(descriptor: number, bytes: Uint8Array, offset: number): void {
  try {
    for (let done = 0; done < bytes.length;)
      done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  } catch (cause) {
    const isFull = ["ENOSPC", "EDQUOT"].includes((cause as NodeJS.ErrnoException).code ?? "");
    throw new TailraceError("storage_failed", `cannot write ${bytes.length} bytes: ${String(cause)}`, {
      cause,
      retryable: isFull,
      ...(isFull ? { hint: "Free some disk space." } : {}),
    });
  }
}
