import type { ErrorData } from "../shared/errors.ts";
import type { Position } from "../shared/format/position.ts";
import type { FollowMachine } from "../shared/plan/follow-state.ts";
import type { Lag } from "../shared/plan/freshness.ts";
import type { RecentErrors } from "../shared/recent-errors.ts";
import type { EngineStatus, ReplicaEngineStatus } from "../shared/status.ts";
import { hex64 } from "../shared/units.ts";
import type { LocalReplica } from "./local-replica.ts";
import type { PeerHead } from "./receiver.ts";

/** The engine's status but for what it keeps for those that it feeds ({@link ./feed.ts}). */
export type FollowerStatus = {
  // Not by Omit: of a type that is open for more keys it would leave none.
  [K in keyof ReplicaEngineStatus as string extends K ? never : Exclude<K, FeedKeys>]: ReplicaEngineStatus[K];
};
export type FeedKeys = "log" | "snapshots" | "snapshotSinceMs" | "replicas" | "upkeepTroubles";
/** What {@link ./feed.ts} adds to it. */
export interface FeedStatus extends Pick<EngineStatus, FeedKeys> {
  /** Since the start. */
  readonly replicasLost: number;
  readonly replicasReleased: number;
}

export type LastResync = NonNullable<ReplicaEngineStatus["lastResync"]>;

/** What a follower knows of itself. */
export interface FollowerView {
  readonly replicaId: string;
  readonly source: string;
  readonly file: string;
  readonly local: LocalReplica;
  readonly machine: FollowMachine;
  /** What the primary last said of its log; undefined before its first answer. */
  readonly head: PeerHead | undefined;
  readonly age: Lag;
  readonly isApplying: boolean;
  /** Why what was received cannot be applied now: another writer has the database. */
  readonly blockedBy: ErrorData | null;
  readonly errors: RecentErrors;
  /** Of a bootstrap or a resync under way. */
  readonly progress: Record<string, number> | null;
  /** Unix ms. */
  readonly lastContactMs: number | null;
  /** Unix ms, while it pauses. */
  readonly nextTryMs: number | null;
  readonly retries: number;
  readonly receivedBytes: number;
  readonly bootstraps: number;
  readonly resyncs: number;
  readonly lastResync: LastResync | null;
  /** Unix ms. */
  readonly nowMs: number;
}

/** A replica's part of the status document. What is not known is null, never 0. */
export function followerStatus(view: FollowerView): FollowerStatus {
  const { local, machine, head, blockedBy, errors } = view;
  const { position, received } = local;
  const pageSizeBytes = position?.pageSizeBytes ?? null;
  const pageCount = position?.applied.pageCount ?? null;
  return {
    role: "replica",
    id: view.replicaId,
    source: view.source,
    state: machine.state,
    database: {
      file: view.file,
      isReadable: local.isReadable,
      pageSizeBytes,
      pageCount,
      sizeBytes: pageSizeBytes === null || pageCount === null ? null : pageSizeBytes * pageCount,
      checksum: position === undefined ? null : hex64(position.applied.checksum),
    },
    position:
      position === undefined
        ? null
        : {
            txid: position.applied.txid,
            cursor: position.applied.cursor,
            databaseChecksum: hex64(position.applied.checksum),
            commitTimeMs: position.commitTimeMs || null,
          },
    lag: lagOf(view, position),
    receiver: {
      state: receiverState(machine),
      cursor: received ?? null,
      primaryTxid: head?.txid ?? null,
      lastContactMs: view.lastContactMs,
      failures: machine.failures,
      retries: view.retries,
      nextTryMs: view.nextTryMs,
      receivedBytes: view.receivedBytes,
    },
    applier: {
      state: applierState(view),
      backlogBytes: local.backlogBytes,
      blockedBy: blockedBy === null ? null : { code: blockedBy.code, message: blockedBy.message },
    },
    wal: local.walStatus ?? null,
    bootstraps: view.bootstraps,
    resyncs: view.resyncs,
    lastResync: view.lastResync,
    progress: view.progress,
    errors: errors.list,
    lastError: errors.newest,
    asOfMs: view.nowMs,
  };
}

/** Bytes: of the primary's log, those that are here and not applied, and those that are not here where that is known. */
function lagOf(
  { local, head, age }: FollowerView,
  position: Position | undefined,
): ReplicaEngineStatus["lag"] {
  if (head === undefined || position === undefined) return { transactions: null, bytes: null, ...age };
  const { received } = local;
  // Nobody says how large the segments in between are.
  const isKnown = received !== undefined && head.cursor.segment === received.segment;
  const missingBytes = isKnown ? Math.max(0, head.cursor.offset - received.offset) : null;
  const isBehind = head.txid > position.applied.txid;
  return {
    transactions: Math.max(0, head.txid - position.applied.txid),
    bytes: !isBehind ? 0 : missingBytes === null ? null : local.backlogBytes + missingBytes,
    ...age,
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
