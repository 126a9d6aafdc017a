import * as real from "node:zlib";
import { currentProcess } from "../core/process.ts";
import { storeAsZstd } from "./stored-zstd.ts";

export { constants, crc32, gunzipSync, zstdDecompressSync } from "node:zlib";

/** Per KiB of input, in another thread. */
const MS_PER_KIB = 0.01;
const START_MS = 0.1;

type Done = (error: Error | null, result: Buffer) => void;

export function gzip(input: Buffer | string, options: real.ZlibOptions, done: Done): void {
  compress("zlib.gzip", input, () => real.gzipSync(input, { ...options, level: 0 }), done);
}

export function zstdCompress(input: Buffer | string, _options: real.ZstdOptions, done: Done): void {
  compress("zlib.zstd", input, () => storeAsZstd(Buffer.from(input)), done);
}

/** Done at once; the answer comes later. */
function compress(what: string, input: Buffer | string, work: () => Buffer, done: Done): void {
  const process = currentProcess();
  const result = work();
  if (process === undefined) return void setImmediate(() => done(null, result));
  process.cross(what);
  const delayMs = START_MS + (input.length / 1024) * MS_PER_KIB * (1 + process.random.float());
  process.machine.scheduler.after(delayMs, what, process, () => done(null, result));
}
