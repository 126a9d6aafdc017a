import { asTailraceError, toErrorData } from "../shared/errors.ts";
import type { ErrorData, TailraceError } from "../shared/errors.ts";
import type { LocalReplica } from "./local-replica.ts";

/** Another writer has the lock: the first pause, and the longest. */
const BUSY_PAUSE_MS = 5;
const MAX_BUSY_PAUSE_MS = 200;

export interface ApplyLoopOptions {
  readonly local: Pick<LocalReplica, "applyNext">;
  /** Resolves early when the signal says so; never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Ends it between two batches. */
  readonly signal: AbortSignal;
  /** Something was applied, and nothing whole is left. */
  readonly onDrained: () => void;
  /** Applying has failed, and has stopped. */
  readonly onFailed: (error: TailraceError) => void;
}

/** Applies what was received, batch by batch, beside everything else, until nothing whole is left. */
export class ApplyLoop {
  private readonly options: ApplyLoopOptions;
  private running: Promise<void> | undefined;
  private isResting = false;
  private blocked: ErrorData | null = null;

  constructor(options: ApplyLoopOptions) {
    this.options = options;
  }

  /** Settles when it comes to a stop; undefined while it stands still. Never rejects. */
  get stopping(): Promise<void> | undefined {
    return this.running;
  }

  /** Why what was received cannot be applied now: another writer has the database. */
  get blockedBy(): ErrorData | null {
    return this.blocked;
  }

  /** Goes on. A small batch is in the database when this returns. */
  wake(): void {
    this.running ??= this.drain().finally(() => {
      this.running = undefined;
    });
  }

  /** Comes to a stop between two batches. */
  async rest(): Promise<void> {
    this.isResting = true;
    await this.running;
    this.isResting = false;
  }

  private async drain(): Promise<void> {
    const { local, sleep, signal, onDrained, onFailed } = this.options;
    let busy = 0;
    let hasMoved = false;
    while (!this.isResting && !signal.aborted) {
      try {
        const hasApplied = await local.applyNext();
        this.blocked = null;
        busy = 0;
        if (hasApplied) {
          hasMoved = true;
          continue;
        }
        if (hasMoved) onDrained();
        return;
      } catch (thrown) {
        const error = asTailraceError(thrown);
        if (error.code !== "database_busy") return onFailed(error);
        this.blocked = toErrorData(error);
        await sleep(Math.min(BUSY_PAUSE_MS * 2 ** busy++, MAX_BUSY_PAUSE_MS), signal);
      }
    }
  }
}
