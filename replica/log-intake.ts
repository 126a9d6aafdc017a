import { compareCursors } from "../shared/format/cursor.ts";
import type { Position } from "../shared/format/position.ts";
import type { Freshness } from "../shared/plan/freshness.ts";
import { NoRoomError } from "../shared/storage/disk-room.ts";
import type { Txid } from "../shared/units.ts";
import type { ApplyLoop } from "./apply-loop.ts";
import type { LocalReplica } from "./local-replica.ts";
import { CHUNK_BYTES, LONG_POLL_MS } from "./receiver.ts";
import type { Chunk, ChunkRequest, PeerHead, Receiver } from "./receiver.ts";

/** Received and not applied: beyond it the primary is not asked for more. */
export const MAX_BACKLOG_BYTES: number = 256 << 20;
/** An answer with nothing that comes at once, though it was to wait for something: no more than five of them a second. */
const EMPTY_ANSWER_MS = 200;
/** How long the primary may hold a request while something waits to be applied: with the next one it hears how far that is. */
const APPLYING_POLL_MS = 250;
/** And while the node that is asked has itself lost touch with the primary: soon after it is back, it is known here. */
const STALE_POLL_MS = 2000;
/** In a backlog, how long at most more is asked for before what has come is made durable, and the node told of it. */
const AHEAD_MS = 250;

export interface LogIntakeOptions {
  readonly local: Pick<
    LocalReplica,
    "backlogBytes" | "giveRoom" | "position" | "receive" | "received" | "syncReceived" | "unsyncedBytes"
  >;
  readonly receiver: Pick<Receiver, "fetch">;
  readonly applying: Pick<ApplyLoop, "rest" | "stopping" | "wake">;
  readonly freshness: Freshness;
  /** For spans of time: never set. */
  readonly monotonicMs: () => number;
  /** Resolves early when the signal says so; never rejects. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Throws what has failed beside the intake, which then gives up what it is at. */
  readonly throwInterruption: () => void;
  /** The node has answered. */
  readonly onMet: () => void;
  /** What was received up to here is as durable as it has to be, and applied as far as `position` says. */
  readonly onSettled: (position: Position) => void;
}

/** What came of a request, and of those ahead that followed it. */
export interface Intake {
  /** Nothing more was durable on the primary. */
  readonly isEof: boolean;
  /** All that the primary has is applied. */
  readonly isCaughtUp: boolean;
  /** Is applied. */
  readonly txid: Txid;
}

/**
 * Fetches the primary's log, piece by piece, into the log copy. To ask for more by the replica's name is to vouch for what
 * is here: before each such request it is as durable as it has to be. In a backlog, more is asked for ahead of that and
 * without the name, so that not each piece has to wait for the disk.
 */
export class LogIntake {
  private readonly options: LogIntakeOptions;
  /** The primary's, when it answered last; undefined where it may be of another state than the present one. */
  head: PeerHead | undefined;
  /** Log bytes received since the start. */
  receivedBytes = 0;
  private isSyncing = false;

  constructor(options: LogIntakeOptions) {
    this.options = options;
  }

  /**
   * One request, and in a backlog others ahead. There is a standing.
   *
   * @throws what the receiver and the disk throw, and what has interrupted it
   */
  async receive(signal: AbortSignal): Promise<Intake> {
    const { local, applying, monotonicMs, throwInterruption } = this.options;
    throwInterruption();
    // What was received before a failure may still wait to be applied.
    applying.wake();
    while (local.backlogBytes > MAX_BACKLOG_BYTES && applying.stopping !== undefined) await applying.stopping;
    // An applier that fails gives up the standing at once, and says why a moment later.
    if (local.received === undefined) await applying.stopping;
    throwInterruption();
    if (local.unsyncedBytes > 0) {
      await this.sync();
      this.settle();
    }
    const askedMs = monotonicMs();
    const waitMs = this.waitMs();
    let chunk = await this.fetch({ cursor: local.received!, waitMs }, signal);
    const heardMs = monotonicMs();
    try {
      await this.store(chunk);
      while (this.leadsFurther(chunk) && monotonicMs() - heardMs < AHEAD_MS) {
        chunk = await this.fetch({ cursor: chunk.next, waitMs: 0, isAhead: true }, signal);
        await this.store(chunk);
      }
    } finally {
      await this.sync();
      throwInterruption();
      this.settle();
    }
    const { applied } = local.position!;
    const restMs = EMPTY_ANSWER_MS - (monotonicMs() - askedMs);
    if (waitMs > 0 && !leadsOn(chunk) && restMs > 0) await this.options.sleep(restMs, signal);
    throwInterruption();
    const { isEof, head } = chunk;
    return { isEof, isCaughtUp: isEof && applied.txid >= head.txid, txid: applied.txid };
  }

  /** Makes what was received as durable as it has to be. @throws storage_failed */
  async sync(): Promise<void> {
    this.isSyncing = true;
    try {
      await this.options.local.syncReceived();
    } finally {
      this.isSyncing = false;
    }
  }

  /** What is applied is fed to others, who need not wait for the next answer of the primary. */
  settle(): void {
    const { local, onSettled } = this.options;
    // Applied before it is on the disk: it is told of when it is.
    if (!this.isSyncing && local.unsyncedBytes === 0) onSettled(local.position!);
  }

  /** There is more, and room for it. */
  private leadsFurther(chunk: Chunk): boolean {
    const { backlogBytes, received } = this.options.local;
    return leadsOn(chunk) && !chunk.isEof && received !== undefined && backlogBytes <= MAX_BACKLOG_BYTES;
  }

  private async fetch(
    asked: Pick<ChunkRequest, "cursor" | "waitMs" | "isAhead">,
    signal: AbortSignal,
  ): Promise<Chunk> {
    const { local, receiver, freshness, monotonicMs, onMet } = this.options;
    const { logId, epoch, applied } = local.position!;
    freshness.asked(monotonicMs(), asked.waitMs);
    const chunk = await receiver.fetch({
      ...asked,
      logId,
      epoch,
      appliedTxid: applied.txid,
      appliedChecksum: applied.checksum,
      maxBytes: CHUNK_BYTES,
      signal,
    });
    onMet();
    this.head = chunk.head;
    const { txid: headTxid, primaryTimeMs, ageMs } = chunk.head;
    freshness.heard({ atMs: monotonicMs(), headTxid, primaryTimeMs, ageMs });
    this.receivedBytes += chunk.bytes.length;
    return chunk;
  }

  /** @throws storage_failed; NoRoomError, when what the SQLite WAL could give back was not enough; what has interrupted it */
  private async store(chunk: Chunk): Promise<void> {
    const { local, applying, throwInterruption } = this.options;
    throwInterruption();
    try {
      local.receive(chunk);
    } catch (error) {
      if (!(error instanceof NoRoomError)) throw error;
      await applying.rest();
      throwInterruption();
      if (!(await local.giveRoom())) throw error;
      local.receive(chunk);
    }
    applying.wake();
  }

  /** How long the primary may wait for news: not at all where even its present end is news, or that it answers. */
  private waitMs(): number {
    const { freshness, local, monotonicMs } = this.options;
    if (this.head === undefined || !freshness.isInTouch(monotonicMs())) return 0;
    if (!freshness.isSourceFresh) return STALE_POLL_MS;
    return local.position!.applied.txid >= this.head.txid ? LONG_POLL_MS : APPLYING_POLL_MS;
  }
}

function leadsOn({ from, next }: Chunk): boolean {
  return compareCursors(next, from) !== 0;
}
