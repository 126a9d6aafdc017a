import type { Socket } from "node:net";
import type { buildConnector as Connecting } from "undici";
import buildConnector from "undici/lib/core/connect.js";

/** More than this a read seldom finds: what the system holds of a fast sender. */
const READ_BYTES = 256 << 10;

/**
 * Makes connections that read into one buffer each, again and again. Left to itself, Node makes a new one for every 64 KiB:
 * with a long body that is more work than all else that receiving costs, and garbage by the ten megabytes.
 *
 * What undici hands on of a body is then good until the call returns, and it must not pause a body. It keeps nothing longer
 * but headers that come in several reads, `maxHeaderBytes` in all: so short a read gets memory of its own.
 */
export function reusingConnector(options: {
  readonly timeout: number;
  readonly maxHeaderBytes: number;
}): Connecting.connector {
  const { timeout, maxHeaderBytes } = options;
  return (target, connected) => {
    let socket: Socket | undefined;
    let arrived: Uint8Array | undefined;
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (size: number, buffer: Uint8Array): boolean => {
        const bytes = buffer.subarray(0, size);
        arrived = size > maxHeaderBytes ? bytes : Buffer.from(bytes);
        socket?.emit("readable");
        if (arrived !== undefined) socket?.destroy(new Error("what has come was not taken at once"));
        return true;
      },
    };
    buildConnector({ allowH2: false, timeout, onread })(target, (...outcome) => {
      const [error, made] = outcome;
      if (error === null) {
        const read = made.read.bind(made);
        made.read = (size?: number) => {
          const bytes = arrived ?? read(size);
          arrived = undefined;
          return bytes;
        };
        socket = made;
      }
      connected(...outcome);
    });
  };
}
