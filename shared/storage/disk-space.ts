import { statfsSync } from "node:fs";

/** Whoever asks more often gets the same answer. */
const FRESH_MS = 2_000;

export interface DiskSpace {
  /** What this user may still write. */
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

/** The space on the file system of a folder. */
export class DiskGauge {
  private readonly folder: string;
  /** Any clock, in ms. */
  private readonly clock: () => number;
  private last: { readonly atMs: number; readonly space: DiskSpace | null } | undefined;

  constructor(folder: string, clock: () => number) {
    this.folder = folder;
    this.clock = clock;
  }

  /** Null where it cannot be told. */
  read(): DiskSpace | null {
    const nowMs = this.clock();
    const { last } = this;
    if (last !== undefined && nowMs >= last.atMs && nowMs - last.atMs < FRESH_MS) return last.space;
    const space = diskSpaceOf(this.folder);
    this.last = { atMs: nowMs, space };
    return space;
  }
}

/** Null where it cannot be told: some file systems have no size, as a tmpfs without a limit, and say 0 for it. */
export function diskSpaceOf(folder: string): DiskSpace | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder);
    if (blocks === 0) return null;
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    return null;
  }
}
