import type { ErrorData } from "../shared/errors.ts";
import type { EngineStatus } from "../shared/status.ts";
import type { DriverName } from "../shared/sqlite/driver.ts";
import type { Txid } from "../shared/units.ts";

/** What a replica has to be told. */
export interface FollowOptions {
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
  /** 32 hex digits. The system's own where it is left out; another one stands for a machine that went down. */
  readonly bootId?: string;
}

/** What the follow thread answers. */
export type FollowMethods = {
  /** With the status of that moment, so that no later one is behind it. */
  sync: (timeoutMs: number) => Promise<{ readonly txid: Txid; readonly status: EngineStatus }>;
  /** With the status of that moment. */
  waitFor: (request: { readonly txid: Txid; readonly timeoutMs: number }) => Promise<EngineStatus>;
  status: () => EngineStatus;
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
  message: string;
  failed: ErrorData;
};
