import { asTailraceError, toErrorData } from "./errors.ts";
import type { ErrorData } from "./errors.ts";
import { notice } from "./notice.ts";
import type { Notice } from "./notice.ts";
import { UPKEEP_WORDS } from "./plan/health.ts";
import { recentError } from "./recent-errors.ts";
import type { UpkeepTrouble } from "./status.ts";

type UpkeepTask = UpkeepTrouble["task"];

interface UpkeepTroublesOptions {
  /** Unix ms. */
  readonly clock: () => number;
  readonly notify: (notice: Notice) => void;
  /** Told of each failure, also of those that come again. */
  readonly onError: (error: ErrorData) => void;
}

/**
 * What goes wrong beside the main work of an engine: it stops nothing, and is tried again by itself. Each task's trouble
 * is told when it begins, and when that very task succeeds again; what else goes well says nothing about it.
 */
export class UpkeepTroubles {
  private readonly options: UpkeepTroublesOptions;
  private readonly present = new Map<UpkeepTask, UpkeepTrouble>();

  constructor(options: UpkeepTroublesOptions) {
    this.options = options;
  }

  /** Those that go on. */
  get list(): readonly UpkeepTrouble[] {
    return [...this.present.values()];
  }

  failed(task: UpkeepTask, thrown: unknown): void {
    const { clock, notify, onError } = this.options;
    const error = toErrorData(asTailraceError(thrown));
    // Nothing is wrong with what was stopped, or what has to wait its turn.
    if (error.code === "closed" || error.code === "not_ready") return;
    onError(error);
    const { code, message, hint = null } = error;
    const before = this.present.get(task);
    const sinceMs = before?.sinceMs ?? clock();
    this.present.set(task, { task, sinceMs, ...recentError(error, clock()) });
    // Those of snapshots are told one by one, with when each is tried again.
    if (before?.code === code || task === "snapshot") return;
    notify(notice("warn", "upkeep_failed", `${UPKEEP_WORDS[task]}: ${message}`, { code, message, hint }));
  }

  passed(task: UpkeepTask): void {
    const before = this.present.get(task);
    if (before === undefined) return;
    this.present.delete(task);
    const { code, sinceMs } = before;
    const failedForMs = Math.max(0, this.options.clock() - sinceMs);
    const text = `over, after ${code}: ${UPKEEP_WORDS[task]}`;
    this.options.notify(notice("info", "upkeep_recovered", text, { code, failedForMs }));
  }

  /** Carries out a task. @returns whether it went well */
  try(task: UpkeepTask, work: () => void): boolean {
    try {
      work();
    } catch (error) {
      this.failed(task, error);
      return false;
    }
    this.passed(task);
    return true;
  }
}
