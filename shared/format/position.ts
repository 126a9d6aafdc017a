import { crc32 } from "node:zlib";
import { TailraceError } from "../errors.ts";
import type { Cursor, DatabaseChecksum, Txid } from "../units.ts";
import { isPageSize } from "./record.ts";

/*
 * A replica's position file: two slots of 512 bytes, written in turn. The one with the higher sequence number that
 * checks is the position, so a torn write leaves the one before it.
 *
 *   offset  bytes  little-endian
 *        0      8  magic "TAILRPOS"
 *        8      4  format version, 1
 *       12      4  page size in bytes
 *       16      8  sequence number
 *       24     16  log id
 *       40      8  epoch
 *       48     48  applied: the state the database was last known to be in
 *       96     48  intent: the state that a commit under way is about to reach; equal to applied when there is none
 *      144     48  floor: a state that is in the database file and on the disk, whatever becomes of its WAL
 *      192     24  left: the SQLite WAL as the last commit left it
 *      216     24  intended: the SQLite WAL as the commit under way will leave it; zeros while that is not known
 *      240      4  phase: 0 following, 1 published by a bootstrap and never opened, 2 in a resync
 *      244      4  flags: bit 0 = closed in order, bit 1 = stamped
 *      248     40  stamp of the database file: size, mtime ns, ctime ns, device, inode
 *      288     16  id of the boot in which this was written
 *      304      8  commit time of the applied transaction, Unix ms
 *      508      4  CRC-32 of bytes 0-507
 *
 *   a state, 48 bytes                       a WAL mark, 24 bytes
 *        0  8  txid                              0  4  change counter of the wal-index
 *        8  8  cursor: segment                   4  4  frames
 *       16  8  cursor: offset                    8  8  salts
 *       24  8  database checksum                16  8  checksum of the last frame
 *       32  4  database size in pages
 */
export const POSITION_SLOT_BYTES = 512;
export const POSITION_FORMAT_VERSION = 1;

const MAGIC = Buffer.from("TAILRPOS", "latin1");
const CHECKED_BYTES = POSITION_SLOT_BYTES - 4;
const PHASES = ["following", "published", "resyncing"] as const;
const FLAG_CLEAN = 1;
const FLAG_STAMPED = 2;
/** Of 64 bits on disk, and safe integers in memory: sequence, epoch, time; txid and cursor of each state. */
const NUMBERS_AT = [16, 40, 304, ...[48, 96, 144].flatMap((at) => [at, at + 8, at + 16])];

/** The state of the database after one transaction, and where the log goes on from there. */
export interface StatePoint {
  readonly txid: Txid;
  readonly cursor: Cursor;
  readonly checksum: DatabaseChecksum;
  readonly pageCount: number;
}

/** What a commit by hand left in the wal-index: what has to be found there before the next one. */
export interface LeftMark {
  readonly change: number;
  /** 0 right after the WAL was restarted or created. */
  readonly frame: number;
  /** 8 raw bytes in hex. */
  readonly salts: string;
  /** 8 raw bytes in hex. */
  readonly checksum: string;
}

/** The database file as it stood when it was last known to be whole in itself. */
export interface FileStamp {
  readonly sizeBytes: bigint;
  readonly modifiedNs: bigint;
  readonly changedNs: bigint;
  readonly device: bigint;
  readonly inode: bigint;
}

export interface Position {
  readonly pageSizeBytes: number;
  /** 32 hex digits. */
  readonly logId: string;
  readonly epoch: number;
  readonly applied: StatePoint;
  readonly intent: StatePoint;
  readonly floor: StatePoint;
  readonly left: LeftMark;
  readonly intended: LeftMark;
  readonly phase: "following" | "published" | "resyncing";
  /** Written at an orderly close, durably, and taken back durably before anything else happens. */
  readonly isClean: boolean;
  /** With an empty WAL, a database file that has this stamp is at the applied state. */
  readonly isStamped: boolean;
  /** Its device and inode count in any case: they say which file is the replica's. */
  readonly stamp: FileStamp;
  /** 32 hex digits. */
  readonly bootId: string;
  /** 0 when it is not known. */
  readonly commitTimeMs: number;
}

export const NO_MARK: LeftMark = {
  change: 0,
  frame: 0,
  salts: "0000000000000000",
  checksum: "0000000000000000",
};

export function encodePosition(position: Position, sequence: number): Buffer {
  const bytes = Buffer.alloc(POSITION_SLOT_BYTES);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(POSITION_FORMAT_VERSION, 8);
  bytes.writeUInt32LE(position.pageSizeBytes, 12);
  bytes.writeBigUInt64LE(BigInt(sequence), 16);
  bytes.write(position.logId, 24, "hex");
  bytes.writeBigUInt64LE(BigInt(position.epoch), 40);
  writePoint(bytes, 48, position.applied);
  writePoint(bytes, 96, position.intent);
  writePoint(bytes, 144, position.floor);
  writeMark(bytes, 192, position.left);
  writeMark(bytes, 216, position.intended);
  bytes.writeUInt32LE(PHASES.indexOf(position.phase), 240);
  bytes.writeUInt32LE((position.isClean ? FLAG_CLEAN : 0) | (position.isStamped ? FLAG_STAMPED : 0), 244);
  const { sizeBytes, modifiedNs, changedNs, device, inode } = position.stamp;
  [sizeBytes, modifiedNs, changedNs, device, inode].forEach((value, index) =>
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value), 248 + index * 8),
  );
  bytes.write(position.bootId, 288, "hex");
  bytes.writeBigUInt64LE(BigInt(position.commitTimeMs), 304);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CHECKED_BYTES)), CHECKED_BYTES);
  return bytes;
}

/**
 * Reads one slot.
 *
 * @returns undefined when the slot was never written, or only in part, or holds what no position can
 * @throws unknown_version when a later Tailrace wrote it
 */
export function decodePositionSlot(
  bytes: Buffer,
): { readonly position: Position; readonly sequence: number } | undefined {
  if (bytes.length < POSITION_SLOT_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
  if (bytes.readUInt32LE(CHECKED_BYTES) !== crc32(bytes.subarray(0, CHECKED_BYTES))) return undefined;
  const version = bytes.readUInt32LE(8);
  if (version !== POSITION_FORMAT_VERSION) {
    throw new TailraceError(
      "unknown_version",
      `position format version ${version}, this build reads ${POSITION_FORMAT_VERSION}`,
      { hint: "Use the version of Tailrace that wrote it, or a later one." },
    );
  }
  const phase = PHASES[bytes.readUInt32LE(240)];
  const pageSizeBytes = bytes.readUInt32LE(12);
  const hasUnsafe = NUMBERS_AT.some((at) => bytes.readBigUInt64LE(at) > BigInt(Number.MAX_SAFE_INTEGER));
  if (phase === undefined || !isPageSize(pageSizeBytes) || hasUnsafe) return undefined;
  const slot = {
    sequence: Number(bytes.readBigUInt64LE(16)),
    position: {
      pageSizeBytes,
      logId: bytes.toString("hex", 24, 40),
      epoch: Number(bytes.readBigUInt64LE(40)),
      applied: readPoint(bytes, 48),
      intent: readPoint(bytes, 96),
      floor: readPoint(bytes, 144),
      left: readMark(bytes, 192),
      intended: readMark(bytes, 216),
      phase,
      isClean: (bytes.readUInt32LE(244) & FLAG_CLEAN) !== 0,
      isStamped: (bytes.readUInt32LE(244) & FLAG_STAMPED) !== 0,
      stamp: {
        sizeBytes: bytes.readBigUInt64LE(248),
        modifiedNs: bytes.readBigUInt64LE(256),
        changedNs: bytes.readBigUInt64LE(264),
        device: bytes.readBigUInt64LE(272),
        inode: bytes.readBigUInt64LE(280),
      },
      bootId: bytes.toString("hex", 288, 304),
      commitTimeMs: Number(bytes.readBigUInt64LE(304)),
    },
  };
  // Whatever says more than this version would write was written by none.
  return encodePosition(slot.position, slot.sequence).equals(bytes.subarray(0, POSITION_SLOT_BYTES))
    ? slot
    : undefined;
}

/**
 * The position in a whole file: the newer of its two slots.
 *
 * @returns undefined when the file is empty: nothing was ever written
 * @throws damaged when there are bytes, but no slot checks; unknown_version
 */
export function decodePosition(
  bytes: Buffer,
): { readonly position: Position; readonly sequence: number } | undefined {
  if (bytes.length === 0) return undefined;
  const slots = [0, POSITION_SLOT_BYTES].map((offset) =>
    decodePositionSlot(bytes.subarray(offset, offset + POSITION_SLOT_BYTES)),
  );
  const [newest] = slots.filter((slot) => slot !== undefined).toSorted((a, b) => b.sequence - a.sequence);
  if (newest === undefined) {
    throw new TailraceError("damaged", "neither slot of the position file matches its checksum", {
      hint: "The replica compares its pages with the primary's and goes on from there.",
    });
  }
  return newest;
}

/** Whether two states are the same place of the same history. */
export function samePoint(a: StatePoint, b: StatePoint): boolean {
  return a.txid === b.txid && a.checksum === b.checksum;
}

function writePoint(bytes: Buffer, offset: number, { txid, cursor, checksum, pageCount }: StatePoint): void {
  bytes.writeBigUInt64LE(BigInt(txid), offset);
  bytes.writeBigUInt64LE(BigInt(cursor.segment), offset + 8);
  bytes.writeBigUInt64LE(BigInt(cursor.offset), offset + 16);
  bytes.writeBigUInt64LE(checksum, offset + 24);
  bytes.writeUInt32LE(pageCount, offset + 32);
}

function readPoint(bytes: Buffer, offset: number): StatePoint {
  return {
    txid: Number(bytes.readBigUInt64LE(offset)),
    cursor: {
      segment: Number(bytes.readBigUInt64LE(offset + 8)),
      offset: Number(bytes.readBigUInt64LE(offset + 16)),
    },
    checksum: bytes.readBigUInt64LE(offset + 24),
    pageCount: bytes.readUInt32LE(offset + 32),
  };
}

function writeMark(bytes: Buffer, offset: number, mark: LeftMark): void {
  bytes.writeUInt32LE(mark.change >>> 0, offset);
  bytes.writeUInt32LE(mark.frame, offset + 4);
  bytes.write(mark.salts, offset + 8, "hex");
  bytes.write(mark.checksum, offset + 16, "hex");
}

function readMark(bytes: Buffer, offset: number): LeftMark {
  return {
    change: bytes.readUInt32LE(offset),
    frame: bytes.readUInt32LE(offset + 4),
    salts: bytes.toString("hex", offset + 8, offset + 16),
    checksum: bytes.toString("hex", offset + 16, offset + 24),
  };
}
