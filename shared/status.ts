import { z } from "zod";

/*
 * The documents of GET /status and of the admin routes: what the commands, the page, the alerts and users' own scripts
 * read. Times are Unix ms of the node that answers, but for commit times, which are the primary's. What is not known is
 * null, never 0. A later node may say more than is written here: readers ignore what they do not know.
 */

export interface Position {
  readonly segment: number;
  readonly offset: number;
}

/** One replica as the node that it asks sees it: the columns of `pg_stat_replication` and `pg_replication_slots`. */
export interface ReplicaStatus {
  readonly id: string;
  readonly address: string | null;
  /**
   * `streaming`: it waits at the end of the log. `catching_up`: it reads what is behind the end. `inactive`: not heard of
   * for a while; its log is held until `releaseAtMs`. `lost`: the log that it needs is gone; it has to resync.
   */
  readonly state: "streaming" | "catching_up" | "inactive" | "lost";
  /** The end of what was sent to it last. */
  readonly sent: Position | null;
  /** Everything before is on its disk, by its own word. */
  readonly received: Position;
  readonly appliedTxid: number | null;
  readonly lagTransactions: number | null;
  /** Log bytes that are not on its disk. */
  readonly lagBytes: number | null;
  /** Age of the oldest transaction that it has not applied, by the primary's clock; 0 when it has all. */
  readonly lagSeconds: number | null;
  /** The moment as of which it has applied everything. Stands still while it is behind: now − this is its lag. */
  readonly freshAsOfMs: number | null;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly inactiveSinceMs: number | null;
  /** When it will no longer be held, and be forgotten, unless it comes back before. */
  readonly releaseAtMs: number | null;
  /**
   * Of the log that it needs. `reserved`: within what is kept anyway. `extended`: kept for it alone. `endangered`: will
   * soon be given up for the size limit. `lost`: gone.
   */
  readonly retention: "reserved" | "extended" | "endangered" | "lost";
  /** How much the log may still grow before this replica loses its place; null where there is no limit, or it is lost. */
  readonly bytesUntilLost: number | null;
  /** The same at the present rate; null when it will not happen at that rate, or is not known. */
  readonly secondsUntilLost: number | null;
  readonly lostAtMs: number | null;
  /** How often it has lost its place, since it was first seen. */
  readonly timesLost: number;
}

/** One error of the recent past. */
export interface RecentError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly timeMs: number;
}

/** Something beside the main work that fails, and is tried again by itself. */
export interface UpkeepTrouble extends RecentError {
  readonly task: "checkpoint" | "retention" | "snapshot" | "pruning";
  /** Since when; `timeMs` is that of the last try. */
  readonly sinceMs: number;
}

export interface SnapshotStatus {
  readonly generation: number;
  readonly txid: number;
  readonly createdMs: number;
  readonly sizeBytes: number;
  /** 16 hex digits. */
  readonly databaseChecksum: string;
  /** Where the log goes on. */
  readonly cursor: Position;
  /** Log bytes from there to the end: what a newcomer reads after it; null where that part is gone. */
  readonly logBytesAfter: number | null;
  /** Downloads under way, and those so recent that their log is still held. */
  readonly downloads: number;
}

/** One file of the log. */
export interface SegmentStatus {
  readonly segment: number;
  readonly sizeBytes: number;
  /** All but the newest. */
  readonly isSealed: boolean;
  /** When its last byte was written. */
  readonly modifiedMs: number;
  /** Why it is kept, the earliest reason first: `replica edge-1`, `snapshot 3`, `recovery`, `least size`, `least time`. */
  readonly keptFor: readonly string[];
}

export interface LogStatus {
  readonly logId: string;
  readonly epoch: number;
  readonly pageSizeBytes: number;
  readonly start: Position;
  readonly end: Position;
  readonly headTxid: number;
  readonly headTimeMs: number | null;
  /** 16 hex digits, at headTxid. */
  readonly databaseChecksum: string;
  readonly durability: "commit" | "group" | "os";
  readonly sizeBytes: number;
  readonly segmentCount: number;
  /** Growth over about the last minute; null before that is known. */
  readonly bytesPerSecond: number | null;
  readonly commitsPerSecond: number | null;
  readonly keepBytes: number;
  readonly keepMs: number;
  /** Beyond it, replicas are given up; null: no limit. */
  readonly maxBytes: number | null;
  readonly holdInactiveMs: number;
  /** Up to this segment, the log is given up for a damage in it; null where none is known. An older node does not tell. */
  readonly damagedThrough?: number | null | undefined;
  /** Free space where the log is, in bytes; null where it cannot be told. */
  readonly diskFreeBytes: number | null;
  readonly diskSizeBytes: number | null;
}

/** The engine's part on every node. */
export interface EngineStatus {
  /** When it was so. Older than the document's nowMs by more than a second: the engine is held up. */
  readonly asOfMs: number;
  readonly database: {
    readonly file: string;
    readonly pageSizeBytes: number | null;
    readonly pageCount: number | null;
    /** Of the database as readers see it: pages × page size. Its file may be smaller or larger until a checkpoint. */
    readonly sizeBytes: number | null;
    readonly checksum: string | null;
    readonly isReadable: boolean;
  };
  /** Null until the node knows its log. On a replica: its copy. */
  readonly log: LogStatus | null;
  readonly snapshots: readonly SnapshotStatus[];
  /** Since when a snapshot is being taken. */
  readonly snapshotSinceMs: number | null;
  readonly replicas: readonly ReplicaStatus[];
  /** Newest last. */
  readonly errors: readonly RecentError[];
  /** What else fails now; empty where all is well. */
  readonly upkeepTroubles: readonly UpkeepTrouble[];
  /** On a primary: why capture fails and is being retried now. On a replica: the newest failure, also when it is over. */
  readonly lastError: RecentError | null;
  readonly [more: string]: unknown;
}

export interface PrimaryEngineStatus extends EngineStatus {
  readonly role: "primary";
  /** A primary that answers knows its database and its log. */
  readonly database: {
    readonly file: string;
    readonly pageSizeBytes: number;
    readonly pageCount: number;
    readonly sizeBytes: number;
    readonly checksum: string;
    readonly isReadable: boolean;
  };
  readonly log: LogStatus;
  /** The SQLite WAL. */
  readonly wal: {
    readonly sizeBytes: number;
    readonly publishedFrames: number;
    readonly capturedFrames: number;
    readonly backfilledFrames: number;
    readonly mayRestart: boolean;
    readonly completedCheckpoints: number;
    readonly heldWriters: number;
    /** Since when a reader of an old state has kept it from being copied any further; null while none does. */
    readonly heldUpSinceMs: number | null;
    readonly softLimitBytes: number;
  };
  /** That state is on disk, in the database file or in its WAL: the database cannot come back older. */
  readonly checkpointedTxid: number;
  readonly differences: number;
  readonly comparedPagesAtStart: number;
  readonly replicasLost: number;
  readonly replicasReleased: number;
}

export interface ReplicaEngineStatus extends EngineStatus {
  readonly role: "replica";
  readonly id: string;
  /** The node that it asks, without any user and password. */
  readonly source: string;
  /** Of the follow machine. */
  readonly state: string;
  readonly position: {
    readonly txid: number;
    readonly cursor: Position;
    readonly databaseChecksum: string;
    readonly commitTimeMs: number | null;
  } | null;
  readonly lag: {
    readonly transactions: number | null;
    readonly bytes: number | null;
    /** By the primary's clock; grows also while the primary does not answer. */
    readonly seconds: number | null;
    /** The moment, by the primary's clock, as of which all is applied here. */
    readonly freshAsOfMs: number | null;
  };
  readonly receiver: {
    readonly state: string;
    readonly cursor: Position | null;
    readonly primaryTxid: number | null;
    readonly lastContactMs: number | null;
    readonly failures: number;
    readonly retries: number;
    readonly nextTryMs: number | null;
    readonly receivedBytes: number;
  };
  readonly applier: {
    readonly state: string;
    readonly backlogBytes: number;
    readonly blockedBy: { readonly code: string; readonly message: string } | null;
  };
  /** The replica's own SQLite WAL; null while the database is not proven to be at its position. */
  readonly wal: {
    readonly frames: number;
    readonly copiedFrames: number;
    readonly sizeBytes: number;
    readonly checkpoints: number;
    readonly restarts: number;
  } | null;
  readonly bootstraps: number;
  readonly resyncs: number;
  /** Of the newest resync: pages that differed, and bytes that were fetched for it. */
  readonly lastResync: {
    readonly pages: number;
    readonly fetchedBytes: number;
    readonly timeMs: number;
  } | null;
  readonly progress: Readonly<Record<string, number>> | null;
}

/** An entry has some 600 bytes, with the longest id 1,300: the document stays below 4 MiB, whatever the number. */
export const MAX_LISTED_REPLICAS = 2_000;

/** `GET /status`: the engine's part and the server's. */
export interface StatusDocument extends Partial<
  Omit<EngineStatus, "log" | "replicas" | "snapshots" | "errors">
> {
  readonly protocol: number;
  /** Of Tailrace. */
  readonly version: string;
  readonly role: "primary" | "replica";
  readonly isReady: boolean;
  readonly unready: { readonly code: string; readonly message: string } | null;
  readonly startedMs: number;
  readonly nowMs: number;
  /** False: the engine has not answered in time, and its part is that of asOfMs. */
  readonly isEngineAnswering: boolean;
  readonly log: LogStatus | null;
  readonly snapshots: readonly SnapshotStatus[];
  /** At most {@link MAX_LISTED_REPLICAS} of them: where there are more, the worst, worst first. */
  readonly replicas: readonly ReplicaStatus[];
  /** How many there are. */
  readonly replicasTotal: number;
  readonly errors: readonly RecentError[];
  readonly waitingRequests: number;
  readonly downloads: number;
}

const position: z.ZodType<Position> = z.object({ segment: z.int(), offset: z.int() });

export const replicaStatusSchema: z.ZodType<ReplicaStatus> = z.looseObject({
  id: z.string(),
  address: z.string().nullable(),
  state: z.enum(["streaming", "catching_up", "inactive", "lost"]),
  sent: position.nullable(),
  received: position,
  appliedTxid: z.int().nullable(),
  lagTransactions: z.int().nullable(),
  lagBytes: z.int().nullable(),
  lagSeconds: z.number().nullable(),
  freshAsOfMs: z.number().nullable(),
  firstSeenMs: z.number(),
  lastSeenMs: z.number(),
  inactiveSinceMs: z.number().nullable(),
  releaseAtMs: z.number().nullable(),
  retention: z.enum(["reserved", "extended", "endangered", "lost"]),
  bytesUntilLost: z.int().nullable(),
  secondsUntilLost: z.number().nullable(),
  lostAtMs: z.number().nullable(),
  timesLost: z.int(),
});

export const recentErrorSchema: z.ZodType<RecentError> = z.looseObject({
  code: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
  timeMs: z.number(),
});

export const upkeepTroubleSchema: z.ZodType<UpkeepTrouble> = z.looseObject({
  task: z.enum(["checkpoint", "retention", "snapshot", "pruning"]),
  sinceMs: z.number(),
  code: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
  timeMs: z.number(),
});

export const snapshotStatusSchema: z.ZodType<SnapshotStatus> = z.looseObject({
  generation: z.int(),
  txid: z.int(),
  createdMs: z.number(),
  sizeBytes: z.int(),
  databaseChecksum: z.string(),
  cursor: position,
  logBytesAfter: z.int().nullable(),
  downloads: z.int(),
});

export const segmentStatusSchema: z.ZodType<SegmentStatus> = z.looseObject({
  segment: z.int(),
  sizeBytes: z.int(),
  isSealed: z.boolean(),
  modifiedMs: z.number(),
  keptFor: z.array(z.string()),
});

export const logStatusSchema: z.ZodType<LogStatus> = z.looseObject({
  logId: z.string(),
  epoch: z.int(),
  pageSizeBytes: z.int(),
  start: position,
  end: position,
  headTxid: z.int(),
  headTimeMs: z.number().nullable(),
  databaseChecksum: z.string(),
  durability: z.enum(["commit", "group", "os"]),
  sizeBytes: z.int(),
  segmentCount: z.int(),
  bytesPerSecond: z.number().nullable(),
  commitsPerSecond: z.number().nullable(),
  keepBytes: z.int(),
  keepMs: z.number(),
  maxBytes: z.int().nullable(),
  holdInactiveMs: z.number(),
  damagedThrough: z.int().nullable().optional(),
  diskFreeBytes: z.int().nullable(),
  diskSizeBytes: z.int().nullable(),
});

export const statusSchema: z.ZodType<StatusDocument> = z.looseObject({
  protocol: z.int(),
  version: z.string(),
  role: z.enum(["primary", "replica"]),
  isReady: z.boolean(),
  unready: z.object({ code: z.string(), message: z.string() }).nullable(),
  startedMs: z.number(),
  nowMs: z.number(),
  isEngineAnswering: z.boolean(),
  log: logStatusSchema.nullable(),
  snapshots: z.array(snapshotStatusSchema),
  replicas: z.array(replicaStatusSchema),
  replicasTotal: z.int(),
  errors: z.array(recentErrorSchema),
  waitingRequests: z.int(),
  downloads: z.int(),
});
