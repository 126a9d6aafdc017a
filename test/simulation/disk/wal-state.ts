import * as fs from "node:fs";

const HEADER_BYTES = 136;

/** How far a WAL has come, by the wal-index. */
export interface WalState {
  readonly frames: number;
  /** Of them are in the database file. */
  readonly copiedFrames: number;
  readonly salts: string;
}

/** Undefined where no connection has made a wal-index. */
export function readWalState(databasePath: string): WalState | undefined {
  const bytes = Buffer.alloc(HEADER_BYTES);
  try {
    const descriptor = fs.openSync(`${databasePath}-shm`, "r");
    try {
      if (fs.readSync(descriptor, bytes, 0, HEADER_BYTES, 0) < HEADER_BYTES) return undefined;
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
  return {
    frames: bytes.readUInt32LE(16),
    copiedFrames: bytes.readUInt32LE(96),
    salts: bytes.toString("hex", 32, 40),
  };
}
