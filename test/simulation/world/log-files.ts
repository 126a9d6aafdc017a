import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { fileRange, namesIn } from "./read-file.ts";

const HEADER_BYTES = 80;
const FRAGMENT_HEADER_BYTES = 96;

/** One transaction, as it stands in a log. */
export interface LoggedRecord {
  readonly segment: number;
  readonly offset: number;
  /** Of the byte after it. */
  readonly end: number;
  readonly txid: number;
  readonly epoch: number;
  readonly before: bigint;
  readonly after: bigint;
  /** Of the database after it. */
  readonly pageCount: number;
  readonly isDifference: boolean;
  /** Images in it. */
  readonly pages: number;
  /** Over all its bytes. */
  readonly crc: number;
  /** The first of its bytes: to see whether it still stands there. */
  readonly header: Buffer;
}

/** One file of a log, as far as it could be read. */
export interface LoggedSegment {
  readonly segment: number;
  readonly inode: bigint;
  logId: string;
  epoch: number;
  firstTxid: number;
  checksumBefore: bigint;
  /** Of the first record that was read: not 0 in a copy that begins within the segment. */
  readonly start: number;
  readonly records: LoggedRecord[];
  /** Where the next record begins. */
  end: number;
  size: number;
  modified: bigint;
  /** What is wrong with the bytes at `end`, if they are not merely unfinished. */
  damage: string | undefined;
}

export function segmentPathOf(folder: string, segment: number): string {
  return join(folder, `${segment.toString(16).padStart(16, "0")}.log`);
}

/**
 * The files of a log, read by their description and not by the product: what is new each time. A record is one only when all
 * its fragments are there and every checksum is right.
 */
export class LogFiles {
  readonly folder: string;
  readonly segments: Map<number, LoggedSegment> = new Map();

  constructor(folder: string) {
    this.folder = folder;
  }

  get logId(): string | undefined {
    return [...this.segments.values()].find(({ logId }) => logId !== "")?.logId;
  }

  get records(): LoggedRecord[] {
    return this.list().flatMap(({ records }) => records);
  }

  get last(): LoggedRecord | undefined {
    return this.list()
      .findLast(({ records }) => records.length > 0)
      ?.records.at(-1);
  }

  get sizeBytes(): number {
    return this.list().reduce((sum, { size }) => sum + size, 0);
  }

  /** In order. */
  list(): LoggedSegment[] {
    return [...this.segments.values()].toSorted((a, b) => a.segment - b.segment);
  }

  forget(): void {
    this.segments.clear();
  }

  /** Reads what has changed. @returns whether anything had */
  refresh(): boolean {
    const found = this.present();
    let isChanged = false;
    for (const segment of this.segments.keys()) {
      if (found.has(segment)) continue;
      this.segments.delete(segment);
      isChanged = true;
    }
    const start = found.size > 0 ? this.copyStart() : undefined;
    for (const [segment, path] of found) {
      const { size, mtimeNs, ino } = statSync(path, { bigint: true });
      const offset = start?.segment === segment ? start.offset : 0;
      let known = this.segments.get(segment);
      if (known !== undefined && known.size === Number(size) && known.modified === mtimeNs) continue;
      isChanged = true;
      const isOther = known === undefined || known.inode !== ino || known.start < offset;
      if (isOther || known === undefined) {
        known = emptySegment(segment, ino, offset);
        this.segments.set(segment, known);
      }
      known.size = Number(size);
      known.modified = mtimeNs;
      dropReplaced(known, path);
      readMore(known, path);
    }
    return isChanged;
  }

  private present(): Map<number, string> {
    const logs = namesIn(this.folder).filter((name) => /^[0-9a-f]{16}\.log$/.test(name));
    return new Map(logs.map((name) => [Number.parseInt(name.slice(0, 16), 16), join(this.folder, name)]));
  }

  /** Of a replica's copy: the first byte that is there. */
  private copyStart(): { readonly segment: number; readonly offset: number } | undefined {
    try {
      const { segment, offset } = JSON.parse(readFileSync(join(this.folder, "start.json"), "utf8")) as {
        segment: unknown;
        offset: unknown;
      };
      // A bit of it may have been flipped, in the name of a field too.
      return Number.isSafeInteger(segment) && Number.isSafeInteger(offset)
        ? { segment: Number(segment), offset: Number(offset) }
        : undefined;
    } catch {
      return undefined;
    }
  }
}

function emptySegment(segment: number, inode: bigint, start: number): LoggedSegment {
  return {
    segment,
    inode,
    logId: "",
    epoch: 0,
    firstTxid: 0,
    checksumBefore: 0n,
    start,
    records: [],
    end: start,
    size: 0,
    modified: 0n,
    damage: undefined,
  };
}

/** Forgets records that are cut off, or have given way to others. */
function dropReplaced(segment: LoggedSegment, path: string): void {
  for (;;) {
    const last = segment.records.at(-1);
    if (last === undefined) break;
    if (last.end <= segment.size && fileRange(path, last.offset, FRAGMENT_HEADER_BYTES)?.equals(last.header))
      return;
    segment.records.pop();
    segment.end = last.offset;
  }
  if (segment.end > segment.size) segment.end = segment.start;
}

function readMore(segment: LoggedSegment, path: string): void {
  const bytes = fileRange(path, segment.end) ?? Buffer.alloc(0);
  const base = segment.end;
  segment.damage = undefined;
  let at = 0;
  if (segment.end === 0) {
    if (bytes.length < HEADER_BYTES) return;
    const damage = readHeader(segment, bytes);
    if (damage !== undefined) {
      segment.damage = damage;
      return;
    }
    at = HEADER_BYTES;
    segment.end = at;
  }
  while (at < bytes.length) {
    const record = readRecord(segment, bytes, at, base);
    if (record === undefined) return;
    if (typeof record === "string") {
      segment.damage = record;
      return;
    }
    segment.records.push(record);
    segment.end = record.end;
    at = record.end - base;
  }
}

function readHeader(segment: LoggedSegment, bytes: Buffer): string | undefined {
  if (bytes.toString("latin1", 0, 8) !== "TAILRACE") return "no segment";
  if (bytes.readUInt32LE(76) !== crc32(bytes.subarray(0, 76))) return "header's checksum";
  segment.logId = bytes.toString("hex", 16, 32);
  segment.epoch = Number(bytes.readBigUInt64LE(32));
  segment.firstTxid = Number(bytes.readBigUInt64LE(48));
  segment.checksumBefore = bytes.readBigUInt64LE(56);
  return Number(bytes.readBigUInt64LE(40)) === segment.segment ? undefined : "another segment's header";
}

/** @returns undefined where its last fragment is not there yet; what is wrong, where something is */
function readRecord(
  { segment }: LoggedSegment,
  bytes: Buffer,
  start: number,
  base: number,
): LoggedRecord | string | undefined {
  let pages = 0;
  let before: bigint | undefined;
  for (let at = start, index = 0; ; index++) {
    if (at + FRAGMENT_HEADER_BYTES > bytes.length) return undefined;
    if (bytes.readUInt32LE(at) !== 0x52465254) return `magic at ${base + at}`;
    if (bytes.readUInt32LE(at + 92) !== crc32(bytes.subarray(at, at + 92)))
      return `header checksum at ${base + at}`;
    const length = bytes.readUInt32LE(at + 4);
    if (at + length > bytes.length) return undefined;
    if (bytes.readUInt32LE(at + 88) !== crc32(bytes.subarray(at + FRAGMENT_HEADER_BYTES, at + length)))
      return `body checksum at ${base + at}`;
    if (bytes.readUInt32LE(at + 60) !== index) return `fragment ${index} missing at ${base + at}`;
    before ??= bytes.readBigUInt64LE(at + 32);
    pages += bytes.readUInt32LE(at + 52);
    const pageCount = bytes.readUInt32LE(at + 56);
    if (pageCount === 0) {
      at += length;
      continue;
    }
    return {
      segment,
      offset: base + start,
      end: base + at + length,
      txid: Number(bytes.readBigUInt64LE(at + 8)),
      epoch: Number(bytes.readBigUInt64LE(at + 16)),
      before,
      after: bytes.readBigUInt64LE(at + 40),
      pageCount,
      isDifference: (bytes.readUInt32LE(at + 64) & 1) !== 0,
      pages,
      crc: crc32(bytes.subarray(start, at + length)),
      header: Buffer.from(bytes.subarray(start, start + FRAGMENT_HEADER_BYTES)),
    };
  }
}
