/**
 * `tailrace/replica`: keep a plain SQLite file byte-identical to a primary's database, while anybody reads it.
 *
 * @module
 */
import { EventEmitter } from "node:events";
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { startFollowing } from "../replica/follow-thread.ts";
import type { FollowThread } from "../replica/follow-thread.ts";
import { TailraceError, asTailraceError } from "../shared/errors.ts";
import type { Notice } from "../shared/notice.ts";
import type { Connection, Driver } from "../shared/sqlite/driver.ts";
import { KEEP_FREE_BYTES } from "../shared/storage/disk-room.ts";
import type { Txid } from "../shared/units.ts";
import { claimFile } from "./driver-registry.ts";
import { EarlyEvents } from "./early-events.ts";
import { safeNotice } from "./log/redact.ts";
import { startNode } from "./node.ts";
import type { Node } from "./node.ts";
import {
  REPLICA_LIMIT_KEYS,
  limitOptions,
  limitsForEngine,
  refuseConflicts,
} from "./configuration/node-limits.ts";
import type { NodeLimits } from "./configuration/node-limits.ts";
import { changedLimits, driverOption, durabilityOption, listenOption, readOptions } from "./options.ts";
import type { ListenOptions } from "./options.ts";
import type { EngineStatus as Status } from "../shared/status.ts";
import { openUserConnection } from "./user-connection.ts";

export { TailraceError } from "../shared/errors.ts";
export type { ErrorCode } from "../shared/errors.ts";
export type { Notice } from "../shared/notice.ts";
export type { Txid } from "../shared/units.ts";
export type { NodeLimits } from "./configuration/node-limits.ts";
export type { ListenOptions } from "./options.ts";
export type { EngineStatus as Status } from "../shared/status.ts";

export interface ReplicaOptions extends Partial<NodeLimits> {
  /** Base URL of the primary, or of another replica: `http://host:4800`. */
  readonly primary: string;
  /** The replica's database. Made if it is missing; a database that no replica made is never overwritten. */
  readonly file: string;
  /** Where this replica is served in turn. Left out, nothing is served. */
  readonly listen?: ListenOptions;
  /** Folder of Tailrace's own files. Default: the database's path and `-tailrace`. */
  readonly dataDir?: string;
  readonly durability?: "commit" | "group" | "os";
  /** The SQLite library, by module name. The rest of the process must not use another one on this file. */
  readonly driver?: "node:sqlite" | "better-sqlite3";
  /** The name under which the primary lists this replica. Default: drawn once, then kept in the data folder. */
  readonly id?: string;
  /** When another process has written to the file: stop and say so (the default), or fetch the difference. */
  readonly onForeignWrite?: "stop" | "resync";
  /**
   * What comes from the primary leaves so many bytes of the disk free, but no more than a twentieth of it: a snapshot, a
   * transaction or a log that does not fit is `storage_failed`, and is not written. Default: 64 MiB.
   */
  readonly keepFreeBytes?: number;
  /** Gives up the opening: a primary that cannot be reached is otherwise tried again and again. */
  readonly signal?: AbortSignal;
}

/** The replica's file has reached a txid, and readers see it. */
export interface Applied {
  readonly txid: Txid;
}

export interface ReplicaEvents {
  applied: [event: Applied];
  /**
   * The file had been deleted while it was followed, and was fetched again. `database` is another connection from here
   * on; the one before, which could only show the deleted file, is closed when the listeners have run. Readers in other
   * processes have to open the file again by themselves.
   */
  rebuilt: [];
  /** For people: bootstrap, retries, a resync and its cause. */
  message: [text: string];
  /**
   * Something that an operator should know, for programs: match on `name`, never on `text`. What `message` says, and what is
   * too detailed for it; no value of the database and no credential stands in one.
   */
  notice: [notice: Notice];
  /** Following has ended for good; the file stays readable at its last state. */
  failed: [error: TailraceError];
}

/** A followed copy. `Database` is the driver's own connection class. */
export interface Replica<Database = DatabaseSync> extends EventEmitter<ReplicaEvents>, AsyncDisposable {
  /**
   * A read-only connection of the chosen driver; after the event `rebuilt` it is another one, so do not keep it. Other processes may read the file with any SQLite.
   */
  readonly database: Database;
  /** Absolute path of the replica's database. */
  readonly file: string;
  /** Where it is served, `http://host:port`; undefined without `listen`. */
  readonly address: string | undefined;
  /**
   * Catches up with the primary's head as of now: the newest transaction in its log.
   * @returns the txid that readers of the file see at least
   * @throws timeout (after 60 s, unless told otherwise), unreachable, closed; whatever has stopped the replica
   */
  sync(options?: { readonly timeoutMs?: number }): Promise<Txid>;
  /**
   * Waits until readers of the file see a txid.
   * @throws timeout (after 60 s, unless told otherwise), closed; whatever has stopped the replica
   */
  waitFor(txid: Txid, options?: { readonly timeoutMs?: number }): Promise<void>;
  /**
   * The document that `GET /status` serves of this engine. `asOfMs` (Unix ms) says when it was so: now, unless the
   * engine is held up by something; then, after 100 ms, this is the newest one known.
   * {@link waitFor} and {@link sync} are never ahead of it.
   * @throws closed
   */
  status(): Status;
  /**
   * Other limits from now on, of what is kept for those who ask this replica; what is left out stays as it is. All or
   * nothing.
   * @throws invalid_request naming the limit and its value; closed
   */
  configure(limits: Partial<NodeLimits>): Promise<void>;
  /** Ends following and serving, closes `database`. The file stays an ordinary SQLite database. */
  close(): Promise<void>;
}

const schema = z
  .strictObject({
    primary: z.url({ protocol: /^https?$/, error: "not an http URL" }),
    file: z.string().min(1),
    listen: listenOption.optional(),
    dataDir: z.string().min(1).optional(),
    durability: durabilityOption.default("commit"),
    driver: driverOption.default("node:sqlite"),
    id: z
      .string()
      .regex(/^[\w.-]{1,64}$/)
      .optional(),
    onForeignWrite: z.enum(["stop", "resync"]).default("stop"),
    keepFreeBytes: z.int().min(0).default(KEEP_FREE_BYTES),
    signal: z.instanceof(AbortSignal).optional(),
    ...limitOptions(REPLICA_LIMIT_KEYS, "replica"),
  })
  .superRefine(refuseConflicts);

/** Resolves once the file exists and can be read; it may then still be catching up ({@link Replica.sync}). */
export function openReplica(options: ReplicaOptions & { readonly driver?: "node:sqlite" }): Promise<Replica>;
/** With better-sqlite3, say what its connections are: `openReplica<Database>({ driver: "better-sqlite3", … })`. */
export function openReplica<Database = unknown>(options: ReplicaOptions): Promise<Replica<Database>>;
export async function openReplica(options: ReplicaOptions): Promise<Replica<unknown>> {
  const {
    listen,
    driver,
    file,
    dataDir,
    id,
    signal,
    primary,
    durability,
    onForeignWrite,
    keepFreeBytes,
    ...limits
  } = readOptions(schema, options);
  const early = new EarlyEvents();
  let replica: OpenReplica | undefined;
  const node = await startNode({
    role: "replica",
    file,
    dataDir,
    driver,
    listen,
    start: async (paths) => {
      const following = await startFollowing({
        ...paths,
        primary,
        durability,
        onForeignWrite,
        keepFreeBytes,
        driverName: driver,
        ...limitsForEngine(REPLICA_LIMIT_KEYS, limits),
        ...(id === undefined ? {} : { replicaId: id }),
      });
      following.on("applied", (event) => early.deliver(() => replica?.emit("applied", event)));
      following.on("rebuilt", () => early.deliver(() => replica?.rebuild()));
      following.on("message", (text) => early.deliver(() => replica?.emit("message", text)));
      following.on("notice", (notice) => early.deliver(() => replica?.emit("notice", safeNotice(notice))));
      return following;
    },
  });
  try {
    await unlessAborted(node.engine.ready, signal);
    replica = new OpenReplica(node, limits);
    void node.failed.then((error) => early.deliver(() => replica?.emit("failed", error)));
    early.release();
    return replica;
  } catch (error) {
    // A URL that leads elsewhere: nothing of it stays on the disk.
    if (asTailraceError(error).code === "not_tailrace") await node.discard();
    else await node.opened.disposeAsync();
    throw error;
  }
}

class OpenReplica extends EventEmitter<ReplicaEvents> implements Replica<unknown> {
  readonly file: string;
  readonly address: string | undefined;
  private readonly following: FollowThread;
  private readonly driver: Driver;
  private readonly opened: AsyncDisposableStack;
  private connection: Connection;
  private limits: NodeLimits;

  constructor({ file, address, engine, driver, opened }: Node<FollowThread>, limits: NodeLimits) {
    super();
    this.limits = limits;
    this.file = file;
    this.address = address;
    this.following = engine;
    this.driver = driver;
    this.opened = opened;
    this.connection = openUserConnection(driver, file, { readOnly: true });
    opened.defer(() => this.connection.close());
  }

  get database(): unknown {
    if (this.opened.disposed) throw new TailraceError("closed", `${this.file} has been closed`);
    return this.connection.handle;
  }

  /** Another file stands at the path. */
  rebuild(): void {
    if (this.opened.disposed) return;
    const before = this.connection;
    try {
      this.opened.defer(claimFile(this.file, this.driver.name));
      this.connection = openUserConnection(this.driver, this.file, { readOnly: true });
    } catch {
      return; // Gone once more: it is fetched again, and we are told again.
    }
    this.emit("rebuilt");
    try {
      before.close();
    } catch {
      // better-sqlite3 closes no connection while one of its queries is read: it goes with its last user.
    }
  }

  sync(options?: { readonly timeoutMs?: number }): Promise<Txid> {
    return this.following.sync(options);
  }

  waitFor(txid: Txid, options?: { readonly timeoutMs?: number }): Promise<void> {
    return this.following.waitFor(txid, options);
  }

  status(): Status {
    return this.following.status();
  }

  async configure(changes: Partial<NodeLimits>): Promise<void> {
    const limits = changedLimits(REPLICA_LIMIT_KEYS, this.limits, changes);
    await this.following.configure(limitsForEngine(REPLICA_LIMIT_KEYS, limits));
    this.limits = limits;
  }

  close(): Promise<void> {
    return this.opened.disposeAsync();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The promise's value, or the signal's reason if that comes first. */
function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
