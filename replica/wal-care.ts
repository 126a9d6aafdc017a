import { TailraceError } from "../shared/errors.ts";
import type { StatePoint } from "../shared/format/position.ts";
import type { LogCopy } from "../shared/log/log-copy.ts";
import type { PageTable } from "../shared/pages/page-table.ts";
import { failpoint } from "../shared/failpoint.ts";
import { compareCursors } from "../shared/format/cursor.ts";
import type { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { CheckpointOutcome } from "../shared/serve/engine.ts";
import { decideCheckpoint } from "../shared/plan/replica-checkpoint-policy.ts";
import type { Cursor } from "../shared/units.ts";
import type { Applier } from "./applier.ts";
import { markOf } from "./left-mark.ts";
import { stampAnew } from "./position-file.ts";
import type { ReplicaDatabase } from "./replica-database.ts";

/** What the outside may know of it. */
export interface WalStatus {
  readonly frames: number;
  readonly copiedFrames: number;
  readonly sizeBytes: number;
  readonly checkpoints: number;
  readonly restarts: number;
}

/** Keeps the replica's SQLite WAL small, and moves the floor behind the checkpoints. */
export class WalCare {
  private readonly database: ReplicaDatabase;
  private readonly applier: Applier;
  private readonly table: PageTable;
  private readonly copy: LogCopy;
  private readonly nowMs: () => number;
  private readonly metrics: ReplicaEngineMetrics;
  private running: Promise<void> | undefined;
  private finishing: Promise<void> | undefined;
  private isOver = false;
  /** A sync of the WAL may have failed: those after it prove nothing, until all of it has been copied into the database file. */
  isWalDoubtful = false;
  /** By the last checkpoint, of the WAL with these salts. */
  private copied = { salts: "", frames: 0 };
  private lastTryMs = -Infinity;
  private lastVainFinishMs = -Infinity;
  private lastCommitMs: number;
  private checkpoints = 0;
  private restarts = 0;

  constructor(options: {
    readonly database: ReplicaDatabase;
    readonly applier: Applier;
    readonly table: PageTable;
    readonly copy: LogCopy;
    /** Monotonic. */
    readonly nowMs: () => number;
    readonly metrics: ReplicaEngineMetrics;
  }) {
    this.database = options.database;
    this.applier = options.applier;
    this.table = options.table;
    this.copy = options.copy;
    this.nowMs = options.nowMs;
    this.metrics = options.metrics;
    this.lastCommitMs = options.nowMs();
  }

  get status(): WalStatus {
    return {
      frames: this.frames,
      copiedFrames: this.copiedFrames,
      sizeBytes: this.database.walSizeBytes(),
      checkpoints: this.checkpoints,
      restarts: this.restarts,
    };
  }

  private get frames(): number {
    return this.database.appender.frameCount;
  }

  /** Of {@link frames}: where the WAL was begun anew since, none. */
  private get copiedFrames(): number {
    const { salts, frames } = this.copied;
    return salts === this.database.appender.header.salts ? Math.min(frames, this.frames) : 0;
  }

  /** The log copy is needed from here on: to bring page table and database up again, whatever happens. */
  get recovery(): Cursor {
    const mark = this.table.mark.cursor;
    const { floor } = this.applier.position;
    return compareCursors(mark, floor.cursor) < 0 ? mark : floor.cursor;
  }

  /** What no commit may begin before the end of, whoever has begun it: it restarts the WAL. Never rejects. */
  get holdingCommits(): Promise<void> | undefined {
    return this.finishing;
  }

  committed(): void {
    this.lastCommitMs = this.nowMs();
  }

  /**
   * Does what is due. Between commits only.
   *
   * @param isBehind whether the primary had more to send than what has come
   * @returns a promise when commits have to wait for it
   * @throws storage_failed
   */
  tend(isBehind = false): Promise<void> | undefined {
    const { appender } = this.database;
    const now = this.nowMs();
    const action = decideCheckpoint({
      frames: this.frames,
      backfilledFrames: this.copiedFrames,
      pageSizeBytes: appender.pageSizeBytes,
      isCheckpointRunning: this.running !== undefined,
      sinceLastTryMs: now - this.lastTryMs,
      sinceVainFinishMs: now - this.lastVainFinishMs,
      idleMs: now - this.lastCommitMs,
      isBehind,
    });
    if (action === "none") return undefined;
    if (action === "wait") return this.settle();
    this.lastTryMs = now;
    if (action === "restart") {
      this.restart();
      return undefined;
    }
    const work = action === "finish" ? this.checkpointAndRestart() : this.checkpoint();
    this.running = work.finally(() => {
      this.running = undefined;
    });
    if (action === "finish") {
      this.finishing = this.settle().finally(() => {
        this.finishing = undefined;
      });
      return this.running;
    }
    // Its failure shows when the next commit or checkpoint meets the same disk.
    this.running.catch(() => undefined);
    return undefined;
  }

  /** Waits for a checkpoint under way. */
  async settle(): Promise<void> {
    await this.running?.catch(() => undefined);
  }

  /** Waits for a checkpoint under way. None begins after it: the page table may be closed then, and its descriptor another's. */
  async end(): Promise<void> {
    this.isOver = true;
    await this.settle();
  }

  /** A checkpoint as far as readers permit it, whether or not one is due. @throws storage_failed; not_ready after {@link end} */
  async finish(): Promise<CheckpointOutcome> {
    // Whoever else waits for the one under way may be the first to begin the next.
    while (this.running !== undefined) await this.settle();
    if (this.isOver) {
      throw new TailraceError("not_ready", "the replica's database is not at a known state any more", {
        retryable: true,
      });
    }
    const walFrames = this.frames;
    const { salts } = this.database.appender.header;
    this.running = this.checkpoint().finally(() => {
      this.running = undefined;
    });
    await this.running;
    // A WAL that was started anew meanwhile had been copied whole.
    const isRestarted = this.database.appender.header.salts !== salts;
    const copiedFrames = isRestarted ? walFrames : Math.min(this.copiedFrames, walFrames);
    return { isComplete: copiedFrames === walFrames, walFrames, copiedFrames };
  }

  /**
   * Copies the WAL back and empties it, because the disk has no room for more. Only while nothing is being applied.
   *
   * @returns whether that gave room: a reader may be in the way. A failure shows when the next commit meets the same disk
   */
  async giveRoom(): Promise<boolean> {
    while (this.running !== undefined) await this.settle();
    if (this.isOver || this.database.walSizeBytes() === 0) return false;
    const { restarts } = this;
    this.running = this.checkpointAndRestart().finally(() => {
      this.running = undefined;
    });
    await this.settle();
    return this.restarts > restarts;
  }

  /** While commits wait. */
  private async checkpointAndRestart(): Promise<void> {
    await this.checkpoint();
    const isCopied = this.copiedFrames >= this.frames;
    if (!isCopied || !this.restart()) this.lastVainFinishMs = this.nowMs();
  }

  private async checkpoint(): Promise<void> {
    const { appender, checkpointer } = this.database;
    const state = this.applier.position.applied;
    const { frames } = this;
    const { salts } = appender.header;
    failpoint("checkpoint.before");
    const { walFrames, checkpointedFrames, busy } = await checkpointer.passive().catch((error: unknown) => {
      this.isWalDoubtful = true;
      this.metrics.checkpoints.inc({ result: "failed" });
      throw error;
    });
    // Fewer than there were: another process has emptied the WAL, which takes that all of it was copied.
    const isEmptied = !busy && walFrames < frames;
    const isComplete = isEmptied || checkpointedFrames >= frames;
    this.metrics.checkpoints.inc({ result: busy ? "busy" : isComplete ? "complete" : "partial" });
    this.copied = { salts, frames: isEmptied ? frames : checkpointedFrames };
    this.checkpoints += 1;
    failpoint("checkpoint.after");
    if (!isComplete) return;
    // Without this the thread that applies would wait for a disk full of log.
    await this.copy.syncAhead();
    this.isWalDoubtful = false;
    this.raiseFloor(state);
  }

  /** All of the state is in the database file, and synced: nothing before it is ever needed again. */
  private raiseFloor(state: StatePoint): void {
    const { applied } = this.applier.position;
    // What the table on disk claims, the log copy has to be able to continue, also after a power loss.
    this.copy.sync();
    if (this.applier.isExact) this.table.flush({ txid: applied.txid, cursor: applied.cursor });
    this.applier.note({ floor: state }, true);
  }

  /** @returns false when a reader is in the way */
  private restart(): boolean {
    const { appender, file } = this.database;
    const { applied, stamp: ours } = this.applier.position;
    if (!appender.restartWal()) return false;
    this.restarts += 1;
    // The file alone is the applied state now.
    const found = stampAnew(file, ours);
    const stamped = { isStamped: found !== undefined, stamp: found ?? ours };
    this.applier.note({ floor: applied, left: markOf(appender.header), ...stamped }, true);
    return true;
  }
}
