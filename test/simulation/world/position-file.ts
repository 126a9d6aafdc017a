import { crc32 } from "node:zlib";
import { fileBytes } from "./read-file.ts";

const SLOT_BYTES = 512;

interface Point {
  readonly txid: number;
  readonly segment: number;
  readonly offset: number;
  readonly checksum: bigint;
  readonly pageCount: number;
}

/** What a replica says of itself on disk. */
export interface ReplicaPosition {
  readonly sequence: bigint;
  readonly logId: string;
  readonly epoch: number;
  readonly applied: Point;
  readonly intent: Point;
  readonly floor: Point;
  /** Of the wal-index, as the last commit left it. */
  readonly leftChange: number;
  readonly leftFrame: number;
  readonly phase: "following" | "published" | "resyncing";
}

/** Read by its description and not by the product. @returns undefined where nothing sound is written */
export function readPositionFile(path: string): ReplicaPosition | undefined {
  const bytes = fileBytes(path);
  if (bytes === undefined) return undefined;
  const slots = [0, SLOT_BYTES].map((offset) => readSlot(bytes.subarray(offset, offset + SLOT_BYTES)));
  return slots.filter((slot) => slot !== undefined).toSorted((a, b) => (a.sequence > b.sequence ? -1 : 1))[0];
}

function readSlot(bytes: Buffer): ReplicaPosition | undefined {
  if (bytes.length < SLOT_BYTES || bytes.toString("latin1", 0, 8) !== "TAILRPOS") return undefined;
  if (bytes.readUInt32LE(508) !== crc32(bytes.subarray(0, 508))) return undefined;
  return {
    sequence: bytes.readBigUInt64LE(16),
    logId: bytes.toString("hex", 24, 40),
    epoch: Number(bytes.readBigUInt64LE(40)),
    applied: readPoint(bytes, 48),
    intent: readPoint(bytes, 96),
    floor: readPoint(bytes, 144),
    leftChange: bytes.readUInt32LE(192),
    leftFrame: bytes.readUInt32LE(196),
    phase: (["following", "published", "resyncing"] as const)[bytes.readUInt32LE(240)] ?? "following",
  };
}

function readPoint(bytes: Buffer, at: number): Point {
  return {
    txid: Number(bytes.readBigUInt64LE(at)),
    segment: Number(bytes.readBigUInt64LE(at + 8)),
    offset: Number(bytes.readBigUInt64LE(at + 16)),
    checksum: bytes.readBigUInt64LE(at + 24),
    pageCount: bytes.readUInt32LE(at + 32),
  };
}
