import { statfsSync } from "node:fs";
import type { DiskSpace } from "./feed.ts";

/** Asked again after this time: who looks at the status more often sees the same. */
const FRESH_MS = 5000;

/** The space on the disk of a folder. */
export class DiskGauge {
  private readonly folder: string;
  private readonly monotonicMs: () => number;
  private last: { readonly atMs: number; readonly space: DiskSpace | null } | undefined;

  constructor(folder: string, monotonicMs: () => number) {
    this.folder = folder;
    this.monotonicMs = monotonicMs;
  }

  /** Null where it cannot be told. */
  read(): DiskSpace | null {
    const nowMs = this.monotonicMs();
    if (this.last === undefined || nowMs - this.last.atMs >= FRESH_MS)
      this.last = { atMs: nowMs, space: spaceOf(this.folder) };
    return this.last.space;
  }
}

function spaceOf(folder: string): DiskSpace | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder);
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    return null;
  }
}
