import { readFileSync } from "node:fs";
import path from "node:path";

/** Where a replica keeps what, below its data folder. */
export interface ReplicaFiles {
  readonly dataDir: string;
  /** Segments of the primary's log, byte for byte. */
  readonly logFolder: string;
  readonly position: string;
  readonly pageTable: string;
  /** A snapshot on its way, and the document that says which. */
  readonly bootstrapPart: string;
  readonly bootstrapInfo: string;
  /** The page hashes of the primary's snapshot, and the pages that differ. */
  readonly resyncSums: string;
  readonly resyncPages: string;
}

export function replicaFiles(dataDir: string): ReplicaFiles {
  const at = (name: string): string => path.join(dataDir, name);
  return {
    dataDir,
    logFolder: at("log"),
    position: at("position"),
    pageTable: at("pages.sum"),
    bootstrapPart: at("bootstrap.part"),
    bootstrapInfo: at("bootstrap.json"),
    resyncSums: at("resync.sums"),
    resyncPages: at("resync.pages"),
  };
}

/**
 * 32 hex digits that change with each boot of the machine: what was written under another one went through a power
 * loss or an orderly shutdown. Zeros where the system has no such id; they never count as the same boot.
 */
export function currentBootId(): string {
  try {
    const id = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().replaceAll("-", "");
    return /^[0-9a-f]{32}$/.test(id) ? id : UNKNOWN_BOOT;
  } catch {
    return UNKNOWN_BOOT;
  }
}
export const UNKNOWN_BOOT = "00000000000000000000000000000000";
