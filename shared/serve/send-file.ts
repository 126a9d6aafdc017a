import type { FileHandle } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { TailraceError } from "../errors.ts";
import type { ByteRange } from "./conditional.ts";
import { SEND_BUFFER_BYTES } from "./limits.ts";

/**
 * Sends a part of a file as the body, whose head is written already. Two buffers take turns: one is filled from the
 * disk while the kernel takes the other, so that memory is the same for any size and any reader.
 *
 * Ends early, without an error, when the reader goes away. @throws damaged when the file is too short: the response is
 * then to be broken off, so that nobody takes it for whole.
 */
export async function sendFile(
  outgoing: ServerResponse,
  file: FileHandle,
  { from, to }: ByteRange,
): Promise<void> {
  const buffers = [
    Buffer.allocUnsafeSlow(SEND_BUFFER_BYTES),
    Buffer.allocUnsafeSlow(SEND_BUFFER_BYTES),
  ] as const;
  const sent: [Promise<void>, Promise<void>] = [Promise.resolve(), Promise.resolve()];
  for (let position = from, turn: 0 | 1 = 0; position < to; turn = turn === 0 ? 1 : 0) {
    await sent[turn];
    if (outgoing.destroyed) return;
    const count = Math.min(SEND_BUFFER_BYTES, to - position);
    const { bytesRead } = await file.read(buffers[turn], 0, count, position);
    if (bytesRead === 0) throw new TailraceError("damaged", `the file ends at ${position}, before ${to}`);
    if (outgoing.destroyed) return;
    sent[turn] = write(outgoing, buffers[turn].subarray(0, bytesRead));
    position += bytesRead;
  }
  await Promise.all(sent);
  outgoing.end();
}

/** Resolves when the kernel has taken the bytes, or never will. */
function write(outgoing: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    outgoing.write(bytes, () => resolve());
  });
}
