import type { ErrorData } from "../shared/errors.ts";
import type { Notice } from "../shared/notice.ts";
import type { CheckpointOutcome, SnapshotInfo } from "../shared/serve/engine.ts";
import type { ReplicaEngineStatus, ReplicaStatus } from "../shared/status.ts";
import type { DriverName } from "../shared/sqlite/driver.ts";
import type { Txid } from "../shared/units.ts";

/** What is kept for those that this replica feeds. Can be changed at run time. */
export interface FeedLimits {
  /** The copy of the log is not cut below this size. 64 MiB. */
  readonly keepLogBytes?: number;
  /** Beyond it replicas are given up; null: no limit. 1 GiB. */
  readonly maxLogBytes?: number | null;
  /** A replica that is away is held for so long. 24 h. */
  readonly holdInactiveMs?: number;
  /** As many snapshots are kept, beside those being downloaded. 2. */
  readonly keepSnapshots?: number;
}

export const FEED_DEFAULTS: Required<FeedLimits> = {
  keepLogBytes: 64 << 20,
  maxLogBytes: 1 << 30,
  holdInactiveMs: 24 * 3_600_000,
  keepSnapshots: 2,
};

/** What a replica has to be told. */
export interface FollowOptions extends FeedLimits {
  /** Base URL of the node to follow: a primary, or another replica. */
  readonly primary: string;
  /** Absolute path of the replica's database. */
  readonly file: string;
  /** Absolute path of its data folder. */
  readonly dataDir: string;
  readonly driverName: DriverName;
  /** Drawn once and kept in the data folder when it is left out. */
  readonly replicaId?: string;
  /**
   * `commit` and `group`: what is received is on the disk before more is asked for, so that the primary may forget it.
   * `os`: it is left to the operating system; a power loss can cost a resync.
   */
  readonly durability: "commit" | "group" | "os";
  readonly onForeignWrite: "stop" | "resync";
  /** What comes from the primary is not written into the last so many bytes of the disk. 64 MiB. */
  readonly keepFreeBytes?: number;
  /** 32 hex digits. The system's own where it is left out; another one stands for a machine that went down. */
  readonly bootId?: string;
}

/** What the follow thread answers. */
export type FollowMethods = {
  /** With the status of that moment, so that no later one is behind it. */
  sync: (timeoutMs: number) => Promise<{ readonly txid: Txid; readonly status: ReplicaEngineStatus }>;
  /** With the status of that moment. */
  waitFor: (request: { readonly txid: Txid; readonly timeoutMs: number }) => Promise<ReplicaEngineStatus>;
  status: () => ReplicaEngineStatus;
  /** A new generation, of the state as it is now. */
  snapshot: () => Promise<SnapshotInfo>;
  checkpoint: () => Promise<CheckpointOutcome>;
  /** Of those that this replica feeds. @throws replica_unknown */
  forget: (id: string) => ReplicaStatus;
  /** Other limits from now on; what is left out stays. */
  configure: (limits: FeedLimits) => void;
  close: () => Promise<void>;
};

/** What it tells unasked. */
export type FollowEvents = {
  /** The replica's files could be opened; or why not. */
  opened: ErrorData | null;
  ready: null;
  applied: { readonly txid: Txid };
  /** Another file stands at the path: the one before had vanished. */
  rebuilt: null;
  state: string;
  notice: Notice;
  failed: ErrorData;
};
