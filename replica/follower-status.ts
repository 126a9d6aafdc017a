import type { ErrorData } from "../shared/errors.ts";
import { formatCursor } from "../shared/format/cursor.ts";
import type { Position } from "../shared/format/position.ts";
import type { FollowMachine } from "../shared/plan/follow-state.ts";
import type { EngineStatus } from "../shared/status.ts";
import { hex64 } from "../shared/units.ts";
import type { LocalReplica } from "./local-replica.ts";
import type { PeerHead } from "./receiver.ts";

/** The newest failure, also after it has been overcome. */
export type LastError = ErrorData & {
  /** Unix ms. */
  readonly timeMs: number;
};

/** What a follower knows of itself. */
export interface FollowerView {
  readonly replicaId: string;
  readonly source: string;
  readonly file: string;
  readonly local: LocalReplica;
  readonly machine: FollowMachine;
  /** What the primary last said of its log; undefined before its first answer. */
  readonly head: PeerHead | undefined;
  readonly isApplying: boolean;
  /** Why what was received cannot be applied now: another writer has the database. */
  readonly blockedBy: ErrorData | null;
  readonly lastError: LastError | null;
  /** Of a bootstrap or a resync under way. */
  readonly progress: Record<string, number> | null;
  /** Unix ms. */
  readonly lastContactMs: number | null;
  /** Unix ms, while it pauses. */
  readonly nextTryMs: number | null;
  readonly retries: number;
  readonly bootstraps: number;
  readonly resyncs: number;
  /** Unix ms. */
  readonly nowMs: number;
}

/** A replica's part of the status document. What is not known is null, never 0. */
export function followerStatus(view: FollowerView): EngineStatus {
  const { local, machine, head } = view;
  const { position, received, logStart } = local;
  return {
    role: "replica",
    id: view.replicaId,
    source: view.source,
    state: machine.state,
    database: {
      file: view.file,
      isReadable: local.isReadable,
      pageSizeBytes: position?.pageSizeBytes ?? null,
      pageCount: position?.applied.pageCount ?? null,
    },
    copy:
      position === undefined
        ? null
        : {
            logId: position.logId,
            epoch: position.epoch,
            start: logStart === undefined ? null : formatCursor(logStart),
            end: received === undefined ? null : formatCursor(received),
          },
    position:
      position === undefined
        ? null
        : {
            txid: position.applied.txid,
            cursor: formatCursor(position.applied.cursor),
            databaseChecksum: hex64(position.applied.checksum),
            commitTimeMs: position.commitTimeMs || null,
          },
    lag: lagOf(view, position),
    receiver: {
      state: receiverState(machine),
      cursor: received === undefined ? null : formatCursor(received),
      primaryTxid: head?.txid ?? null,
      lastContactMs: view.lastContactMs,
      failures: machine.failures,
      retries: view.retries,
      nextTryMs: view.nextTryMs,
    },
    applier: {
      state: applierState(view),
      backlogBytes: local.backlogBytes,
      blockedBy: view.blockedBy,
    },
    wal: local.walStatus ?? null,
    bootstraps: view.bootstraps,
    resyncs: view.resyncs,
    progress: view.progress,
    lastError: view.lastError,
    asOfMs: view.nowMs,
  };
}

function lagOf(
  { local, head, nowMs }: FollowerView,
  position: Position | undefined,
): Record<string, number | null> {
  if (head === undefined) return { transactions: null, bytes: null, milliseconds: null };
  const transactions = position === undefined ? null : Math.max(0, head.txid - position.applied.txid);
  const behindSinceMs = head.commitTimeMs ?? null;
  return {
    transactions,
    bytes: local.backlogBytes,
    milliseconds: transactions === 0 ? 0 : behindSinceMs === null ? null : nowMs - behindSinceMs,
  };
}

function receiverState({ state, work }: FollowMachine): string {
  if (state === "catching-up" || state === "following") return "receiving";
  return state === "pausing" ? `pausing-${work}` : state;
}

function applierState({ machine, blockedBy, isApplying }: FollowerView): string {
  if (machine.state === "stopped") return "stopped";
  if (blockedBy !== null) return "blocked";
  return isApplying ? "applying" : "idle";
}
