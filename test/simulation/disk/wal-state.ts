import * as fs from "node:fs";

const HEADER_BYTES = 136;
const COPY_BYTES = 48;
const LARGEST_PAGE_BYTES = 65_536;

const header = Buffer.alloc(HEADER_BYTES);

/** How far a WAL has come, by the wal-index. */
export interface WalState {
  readonly frames: number;
  /** Of them are in the database file. */
  readonly copiedFrames: number;
  /** Of them may be. */
  readonly attemptedFrames: number;
  readonly salts: string;
  readonly pageSize: number;
  /** Whether the wal-index can be believed: its header is there, and there twice. */
  readonly isSound: boolean;
}

/** Undefined where no connection has made a wal-index. */
export function readWalState(databasePath: string): WalState | undefined {
  if (!readHeader(`${databasePath}-shm`)) return undefined;
  const pageSize = header.readUInt16LE(14);
  return {
    frames: header.readUInt32LE(16),
    copiedFrames: header.readUInt32LE(96),
    attemptedFrames: header.readUInt32LE(128),
    salts: header.toString("hex", 32, 40),
    pageSize: pageSize === 1 ? LARGEST_PAGE_BYTES : pageSize,
    isSound: header[12] === 1 && header.compare(header, COPY_BYTES, 2 * COPY_BYTES, 0, COPY_BYTES) === 0,
  };
}

/** @returns whether there is one */
function readHeader(path: string): boolean {
  if (!fs.existsSync(path)) return false;
  const descriptor = fs.openSync(path, "r");
  try {
    return fs.readSync(descriptor, header, 0, HEADER_BYTES, 0) === HEADER_BYTES;
  } finally {
    fs.closeSync(descriptor);
  }
}
