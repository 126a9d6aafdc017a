import type { Notice } from "../notice.ts";

/** Once in so long. */
const AGAIN_MS = 600_000;

/** Warnings that anybody who asks could cause: each is given once in a while, and a bounded number is remembered. */
export class RareWarnings {
  private readonly notify: (notice: Notice) => void;
  private readonly max: number;
  private readonly lastMs = new Map<string, number>();

  constructor(notify: (notice: Notice) => void, max: number) {
    this.notify = notify;
    this.max = max;
  }

  /** @param what of the same, one in a while is given */
  warn(what: string, nowMs: number, notice: () => Notice): void {
    const lastMs = this.lastMs.get(what);
    if (lastMs !== undefined && nowMs >= lastMs && nowMs - lastMs < AGAIN_MS) return;
    if (this.lastMs.size >= this.max) this.lastMs.clear();
    this.lastMs.set(what, nowMs);
    this.notify(notice());
  }
}
