import * as real from "node:crypto";
import { currentProcess } from "../core/process.ts";

export { createHash, hash } from "node:crypto";

export function randomBytes(size: number): Buffer {
  const random = currentProcess()?.random;
  if (random === undefined) return real.randomBytes(size);
  return Buffer.from(Array.from({ length: size }, () => random.int(256)));
}
