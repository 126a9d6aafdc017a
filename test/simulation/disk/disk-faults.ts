/** What a disk may refuse. `sqlite`: a call of SQLite that writes or syncs. */
export type FaultyWork = "open" | "read" | "write" | "sync" | "rename" | "remove" | "mkdir" | "sqlite";

export type FaultCode = "ENOSPC" | "EIO" | "EMFILE" | "EACCES" | "EROFS";

interface Planned {
  readonly work: FaultyWork;
  readonly code: FaultCode;
  readonly match: string;
  times: number;
}

/** How a machine's disk fails, now and in the calls to come. Set at any time. */
export class DiskFaults {
  /** What all files together may hold. */
  capacityBytes: number = Number.POSITIVE_INFINITY;
  /** Nothing can be written, and no name changed. */
  isReadOnly = false;
  private planned: Planned[] = [];

  /**
   * The next so many calls fail.
   *
   * @param options.match of the path: a part of it
   */
  failNext(work: FaultyWork, code: FaultCode, options: { times?: number; match?: string } = {}): void {
    this.planned.push({ work, code, times: options.times ?? 1, match: options.match ?? "" });
  }

  /** Forgets what was planned; a disk of any size, writable. */
  heal(): void {
    this.planned = [];
    this.capacityBytes = Number.POSITIVE_INFINITY;
    this.isReadOnly = false;
  }

  /** How this call fails; undefined where it does not. */
  take(work: FaultyWork, path: string): FaultCode | undefined {
    if (this.isReadOnly && work !== "open" && work !== "read" && work !== "sync") return "EROFS";
    const planned = this.planned.find((fault) => fault.work === work && path.includes(fault.match));
    if (planned === undefined) return undefined;
    planned.times -= 1;
    if (planned.times === 0) this.planned = this.planned.filter((fault) => fault !== planned);
    return planned.code;
  }
}
