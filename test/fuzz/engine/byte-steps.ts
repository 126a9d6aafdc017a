import type { Chance } from "../../harness/seed.ts";
import { oddNumber, oneOf, randomBytes } from "./numbers.ts";
import type { Step } from "./target.ts";

/** A number in a binary format. */
export interface Field {
  readonly at: number;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly isBigEndian?: boolean;
}

/** What is known of a binary format. */
export interface ByteFormat {
  readonly seeds: readonly Buffer[];
  /** Where its numbers stand in these bytes. */
  readonly fields: (bytes: Buffer) => readonly Field[];
  /** Makes its checksums right, whatever the bytes say; as far as there is a place for them. */
  readonly seal?: (bytes: Buffer) => void;
}

const MAX_BYTES = 1 << 20;

/** Changes to bytes that know where numbers and checksums are. */
export function proposeBytes(format: ByteFormat, chance: Chance): readonly Step[] {
  const seed = chance.integer(0, format.seeds.length - 1);
  const steps: Step[] = [{ op: "seed", seed }];
  let bytes = buildBytes(format, steps);
  for (let left = chance.integer(0, 4); left > 0; left--) {
    const step = changed(format, bytes, chance);
    steps.push(step);
    bytes = applyStep(format, bytes, step);
  }
  if (format.seal !== undefined && chance.next() < 0.75) steps.push({ op: "seal" });
  return steps;
}

function changed(format: ByteFormat, bytes: Buffer, chance: Chance): Step {
  const fields = format.fields(bytes);
  const kind = chance.next();
  const at = chance.integer(0, Math.max(0, bytes.length - 1));
  if (kind < 0.6 && fields.length > 0) {
    const field = oneOf(chance, fields);
    const value = oddNumber(chance, field.bytes, readField(bytes, field));
    return { op: "put", at: field.at, hex: hexOf(field, value) };
  }
  if (kind < 0.75) return { op: "flip", bit: at * 8 + chance.integer(0, 7) };
  if (kind < 0.8) return { op: "cut", length: at };
  if (kind < 0.85) return { op: "put", at, hex: randomBytes(chance, 16).toString("hex") };
  if (kind < 0.9) return { op: "insert", at, hex: randomBytes(chance, 16).toString("hex") };
  const other = chance.integer(0, format.seeds.length - 1);
  const length = chance.integer(1, 200);
  return { op: "splice", seed: other, from: chance.integer(0, format.seeds[other]!.length), at, length };
}

/** The bytes that the steps make. */
export function buildBytes(format: ByteFormat, steps: readonly Step[]): Buffer {
  return steps.reduce<Buffer>((bytes, step) => applyStep(format, bytes, step), Buffer.alloc(0));
}

export function applyStep(format: ByteFormat, before: Buffer, step: Step): Buffer {
  const bytes = Buffer.from(before);
  const { at = 0, hex = "" } = step as { at?: number; hex?: string };
  switch (step.op) {
    case "seed":
      return Buffer.from(format.seeds[step["seed"] as number]!);
    case "bytes":
      return Buffer.from(step["base64"] as string, "base64");
    case "put":
      if (at < bytes.length) bytes.write(hex, at, "hex");
      return bytes;
    case "flip": {
      const bit = step["bit"] as number;
      if (bit >> 3 < bytes.length) bytes[bit >> 3]! ^= 1 << (bit & 7);
      return bytes;
    }
    case "cut":
      return bytes.subarray(0, step["length"] as number);
    case "insert":
      return insert(bytes, at, Buffer.from(hex, "hex"));
    case "splice": {
      const { seed, from, length } = step as unknown as { seed: number; from: number; length: number };
      return insert(bytes, at, format.seeds[seed]!.subarray(from, from + length));
    }
    case "seal":
      format.seal?.(bytes);
      return bytes;
    default:
      throw new Error(`no step on bytes: ${step.op}`);
  }
}

function insert(bytes: Buffer, at: number, added: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at)]).subarray(0, MAX_BYTES);
}

function readField(bytes: Buffer, { at, bytes: size, isBigEndian = false }: Field): bigint {
  const part = bytes.subarray(at, at + size);
  const ordered = Buffer.from(isBigEndian ? part : part.toReversed());
  return ordered.length === 0 ? 0n : BigInt(`0x${ordered.toString("hex")}`);
}

function hexOf({ bytes: size, isBigEndian = false }: Field, value: bigint): string {
  const part = Buffer.from(value.toString(16).padStart(size * 2, "0"), "hex");
  return Buffer.from(isBigEndian ? part : part.toReversed()).toString("hex");
}
