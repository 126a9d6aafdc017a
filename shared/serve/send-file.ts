import type { FileHandle } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { TailraceError } from "../errors.ts";
import type { ByteRange } from "./conditional.ts";
import { SEND_BUFFER_BYTES } from "./limits.ts";

/** One is being filled, one is being sent, one is with the kernel. */
const BUFFERS = 3;

/**
 * Sends a part of a file as the body, whose head is written already. The next buffer is filled from the disk, on
 * another thread, while this one is copied into the socket; memory is the same for any size and any reader.
 *
 * Ends early, without an error, when the reader goes away. @throws damaged when the file is too short: the response is
 * then to be broken off, so that nobody takes it for whole.
 */
export async function sendFile(
  outgoing: ServerResponse,
  file: FileHandle,
  { from, to }: ByteRange,
  onSent: (bytes: number) => void = () => {},
): Promise<void> {
  const buffers = Array.from({ length: BUFFERS }, () => Buffer.allocUnsafeSlow(SEND_BUFFER_BYTES));
  const sent = buffers.map(() => Promise.resolve());
  const fill = async (turn: number, position: number): Promise<Buffer> => {
    await sent[turn];
    if (outgoing.destroyed || position === to) return EMPTY;
    const buffer = buffers[turn]!;
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, to - position), position);
    if (bytesRead === 0) throw new TailraceError("damaged", `the file ends at ${position}, before ${to}`);
    return buffer.subarray(0, bytesRead);
  };

  let filled = await fill(0, from);
  for (let position = from, turn = 0; filled.length > 0;) {
    position += filled.length;
    const nextTurn = (turn + 1) % BUFFERS;
    const filling = fill(nextTurn, position);
    sent[turn] = write(outgoing, filled);
    onSent(filled.length);
    filled = await filling;
    turn = nextTurn;
  }
  await Promise.all(sent);
  outgoing.end();
}

const EMPTY = Buffer.alloc(0);

/**
 * Resolves when the kernel has taken the bytes, or never will. Of what is written between the end of the connection and
 * the response's `close`, nobody tells any more.
 */
function write(outgoing: ServerResponse, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("close", done);
      resolve();
    };
    outgoing.on("close", done);
    outgoing.write(bytes, done);
  });
}
