import { crc32 } from "node:zlib";
import type { Field } from "../engine/byte-steps.ts";

/*
 * Where the numbers and the checksums of each format stand, written down from the drawings in shared/format once more, so
 * that a mistake there does not pass for the format.
 */

function numbers(bytes: Field["bytes"], ...places: number[]): Field[] {
  return places.map((at) => ({ at, bytes }));
}

export function shifted(fields: readonly Field[], by: number): Field[] {
  return fields.map((field) => ({ ...field, at: field.at + by }));
}

export const segmentFields: readonly Field[] = [
  ...numbers(4, 8, 12, 72),
  ...numbers(8, 16, 24, 32, 40, 48, 56, 64),
];
const recordFields: readonly Field[] = [
  ...numbers(4, 4, 48, 52, 56, 60, 64, 68),
  ...numbers(8, 8, 16, 24, 32, 40, 72, 80),
];
export const tableFields: readonly Field[] = [
  ...numbers(4, 8, 12),
  ...numbers(8, 16, 24, 32, 40, 48),
  ...numbers(4, 56),
];
const slotFields: readonly Field[] = [
  ...numbers(4, 8, 12, 240, 244, 128, 80, 176, 192, 196, 216, 220),
  ...numbers(
    8,
    16,
    24,
    40,
    48,
    56,
    64,
    72,
    96,
    104,
    112,
    120,
    144,
    152,
    160,
    168,
    200,
    208,
    248,
    256,
    264,
    272,
    280,
    304,
    400,
  ),
];

/** Bytes `from` to `to`, and behind them their CRC-32. */
export function sealCrc(bytes: Buffer, from: number, to: number): void {
  if (bytes.length >= to + 4) bytes.writeUInt32LE(crc32(bytes.subarray(from, to)), to);
}

export function sealSegment(bytes: Buffer): void {
  sealCrc(bytes, 0, 76);
}

export function positionFields(bytes: Buffer): readonly Field[] {
  return bytes.length > 512 ? [...slotFields, ...shifted(slotFields, 512)] : slotFields;
}

export function sealPosition(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512) sealCrc(bytes, at, at + 508);
}

/** Where records begin, as far as their lengths lead on. */
export function recordStarts(bytes: Buffer, from = 0): readonly number[] {
  const starts: number[] = [];
  for (let at = from; at + 96 <= bytes.length && bytes.toString("latin1", at, at + 4) === "TRFR";) {
    starts.push(at);
    at += Math.max(96, bytes.readUInt32LE(at + 4));
  }
  return starts;
}

export function fragmentFields(bytes: Buffer, from = 0): readonly Field[] {
  return recordStarts(bytes, from).flatMap((at) => [
    ...shifted(recordFields, at),
    ...numbers(4, ...[96, 100, 104].map((place) => at + place).filter((place) => place + 4 <= bytes.length)),
  ]);
}

/** All that follows the header of a record, and then the header. */
export function sealRecords(bytes: Buffer, from = 0): void {
  for (const at of recordStarts(bytes, from)) {
    const end = Math.min(bytes.length, at + Math.max(96, bytes.readUInt32LE(at + 4)));
    bytes.writeUInt32LE(crc32(bytes.subarray(at + 96, end)), at + 88);
    sealCrc(bytes, at, at + 92);
  }
}

/** The numbers of a whole segment. */
export function segmentFileFields(bytes: Buffer): readonly Field[] {
  return [
    ...segmentFields.filter(({ at, bytes: size }) => at + size <= bytes.length),
    ...fragmentFields(bytes, 80),
  ];
}

export function sealSegmentFile(bytes: Buffer): void {
  sealSegment(bytes);
  sealRecords(bytes, 80);
}
