import type { Notice } from "../../shared/notice.ts";

export interface RepeatLimitOptions {
  /** What repeats within this time is only counted. */
  readonly windowMs: number;
  /** Kinds of trouble that are remembered; past it, the oldest is told and forgotten. */
  readonly maxKinds: number;
}

export const DEFAULT_REPEAT_LIMIT: RepeatLimitOptions = { windowMs: 60_000, maxKinds: 256 };

interface Kind {
  readonly firstMs: number;
  /** Not told yet, since firstMs. */
  count: number;
  last: Notice;
}

/** What ends a trouble is limited as the trouble is: or else the log would be full of ends alone. */
const RECOVERIES: ReadonlySet<string> = new Set(["capture_recovered", "caught_up"]);

/** Promised by name, each time. They are rare: between two of the same replica it was out of danger, or had a place again. */
const ALWAYS: ReadonlySet<string> = new Set(["replica_endangered", "replica_lost"]);

/**
 * Trouble that repeats does not flood the log: of warnings and errors with the same name, code and id, the first is told at
 * once; then once in a window the newest one, with the number of those in between. Pure but for its memory: the clock comes
 * as an argument.
 */
export class RepeatLimit {
  private readonly options: RepeatLimitOptions;
  /** In the order in which they were last told. */
  private readonly kinds = new Map<string, Kind>();

  constructor(options: RepeatLimitOptions = DEFAULT_REPEAT_LIMIT) {
    this.options = options;
  }

  /** @returns what is to be logged now: summaries that are due, then the notice itself unless it repeats */
  admit(notice: Notice, nowMs: number): readonly Notice[] {
    const isTrouble = notice.level === "warn" || notice.level === "error";
    if ((!isTrouble && !RECOVERIES.has(notice.name)) || ALWAYS.has(notice.name)) return [notice];
    const told = [...this.due(nowMs)];
    const key = JSON.stringify([notice.name, notice.fields["code"], notice.fields["id"]]);
    const kind = this.kinds.get(key);
    if (kind !== undefined) {
      kind.count += 1;
      kind.last = notice;
      return told;
    }
    for (const [oldest, { count, last }] of this.kinds) {
      if (this.kinds.size < this.options.maxKinds) break;
      this.kinds.delete(oldest);
      if (count > 0) told.push(summary(last, count));
    }
    this.kinds.set(key, { firstMs: nowMs, count: 0, last: notice });
    return [...told, notice];
  }

  /** The summaries whose window has passed. */
  due(nowMs: number): readonly Notice[] {
    const told: Notice[] = [];
    for (const [key, { firstMs, count, last }] of this.kinds) {
      if (nowMs - firstMs < this.options.windowMs) continue;
      this.kinds.delete(key);
      if (count === 0) continue;
      told.push(summary(last, count));
      // It goes on: the next of it is no news either.
      this.kinds.set(key, { firstMs: nowMs, count: 0, last });
    }
    return told;
  }

  /** In how many ms a summary is due; undefined when none is. */
  nextDueMs(nowMs: number): number | undefined {
    let next: number | undefined;
    for (const { firstMs, count } of this.kinds.values()) {
      if (count > 0) next = Math.min(next ?? Infinity, Math.max(0, firstMs + this.options.windowMs - nowMs));
    }
    return next;
  }

  /** All that was only counted: before the end. */
  flush(): readonly Notice[] {
    const told = [...this.kinds.values()].filter(({ count }) => count > 0);
    this.kinds.clear();
    return told.map(({ last, count }) => summary(last, count));
  }
}

function summary(last: Notice, count: number): Notice {
  return {
    ...last,
    text: `${last.text} (${count} × since it was last logged)`,
    fields: { ...last.fields, repeats: count },
  };
}
