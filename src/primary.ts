/**
 * `tailrace/primary`: follow the commits of an SQLite database file, keep them in a log, serve them to replicas.
 *
 * @module
 */
import { EventEmitter } from "node:events";
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { startCapture } from "../primary/capture-thread.ts";
import type { CaptureThread } from "../primary/capture-thread.ts";
import { TailraceError, fromErrorData } from "../shared/errors.ts";
import type { Notice } from "../shared/notice.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import { safeNotice } from "./log/redact.ts";
import { startNode } from "./node.ts";
import type { Node } from "./node.ts";
import {
  PRIMARY_LIMIT_KEYS,
  SEGMENT_MAX_BYTES,
  SEGMENT_MIN_BYTES,
  limitOptions,
  limitsForEngine,
  refuseConflicts,
} from "./configuration/node-limits.ts";
import type { PrimaryLimits } from "./configuration/node-limits.ts";
import { changedLimits, driverOption, durabilityOption, listenOption, readOptions } from "./options.ts";
import type { ListenOptions } from "./options.ts";
import type { EngineStatus as Status } from "../shared/status.ts";
import { OwnedConnection } from "./owned-connection.ts";

export { TailraceError } from "../shared/errors.ts";
export type { ErrorCode } from "../shared/errors.ts";
export type { Notice } from "../shared/notice.ts";
export type { Cursor, Txid } from "../shared/units.ts";
export type { NodeLimits, PrimaryLimits } from "./configuration/node-limits.ts";
export type { ListenOptions } from "./options.ts";
export type { EngineStatus as Status } from "../shared/status.ts";

export interface PrimaryOptions extends Partial<PrimaryLimits> {
  /** The database. Created if it is missing; switched to WAL mode if it is in another. */
  readonly file: string;
  /** Where to serve replicas. Left out, nothing is served. */
  readonly listen?: ListenOptions;
  /** Folder of Tailrace's own files. Default: the database's path and `-tailrace`. */
  readonly dataDir?: string;
  /** When log bytes are forced to disk: each commit (the default), all that wait at once, or never. */
  readonly durability?: "commit" | "group" | "os";
  /** The SQLite library, by module name. The rest of the process must not use another one on this file. */
  readonly driver?: "node:sqlite" | "better-sqlite3";
  /** Log bytes after which a segment is sealed and the next one begun: 64 KiB to 1 GiB. Default: 64 MiB. */
  readonly segmentSizeBytes?: number;
}

export interface PrimaryEvents {
  /** For people: created, switched to WAL mode, a new log id, transactions put back after a power loss. */
  message: [text: string];
  /**
   * Something that an operator should know, for programs: match on `name`, never on `text`. What `message` and `trouble` say,
   * and what is too detailed for them; no value of the database and no credential stands in one.
   */
  notice: [notice: Notice];
  /** Something goes wrong and is being retried (a full disk, say); null when it has passed. */
  trouble: [error: TailraceError | null];
  /** Capture has ended for good; nothing is replicated any more. The database goes on as an ordinary one. */
  failed: [error: TailraceError];
}

/** A followed database. `Database` is the driver's own connection class. */
export interface Primary<Database = DatabaseSync> extends EventEmitter<PrimaryEvents>, AsyncDisposable {
  /**
   * A connection for this process's writes. Other connections and processes may write too. What makes its commits
   * durable is the log: wait for {@link durable} before you acknowledge one. So it has `synchronous=NORMAL`, but in mode
   * `os`, where the log is not forced to disk, SQLite's default.
   *
   * Ask for it anew rather than keeping it: when the file at the path is replaced by another, the connection is closed,
   * and this is one on the new file.
   * @throws not_ready (retryable) while no file is at the path
   */
  readonly database: Database;
  /** Absolute path of the database. */
  readonly file: string;
  /** Where it is served, `http://host:port`; undefined without `listen`. */
  readonly address: string | undefined;
  /**
   * Waits until all commits so far, by whomever, are in the log, as durably as the chosen mode makes them.
   * @throws closed; not_ready (retryable) when the file was replaced by another; whatever ended the capture
   */
  durable(): Promise<{ readonly txid: Txid; readonly cursor: Cursor }>;
  /**
   * The document that `GET /status` serves of this engine. `asOfMs` (Unix ms) says when it was so: now, unless the
   * engine is held up by something; then, after 100 ms, this is the newest one known.
   * @throws closed; not_ready while a file that was replaced is waited for; whatever ended the capture
   */
  status(): Status;
  /**
   * Other limits from now on; what is left out stays as it is. All or nothing.
   * @throws invalid_request naming the limit and its value; closed
   */
  configure(limits: Partial<PrimaryLimits>): Promise<void>;
  /** Ends the serving, closes `database`, checkpoints. The file stays an ordinary SQLite database. */
  close(): Promise<void>;
}

const schema = z
  .strictObject({
    file: z.string().min(1),
    listen: listenOption.optional(),
    dataDir: z.string().min(1).optional(),
    durability: durabilityOption.default("commit"),
    driver: driverOption.default("node:sqlite"),
    segmentSizeBytes: z
      .int()
      .min(SEGMENT_MIN_BYTES)
      .max(SEGMENT_MAX_BYTES)
      .default(64 * 1024 * 1024),
    ...limitOptions(PRIMARY_LIMIT_KEYS, "primary"),
  })
  .superRefine(refuseConflicts);

export function openPrimary(options: PrimaryOptions & { readonly driver?: "node:sqlite" }): Promise<Primary>;
/** With better-sqlite3, say what its connections are: `openPrimary<Database>({ driver: "better-sqlite3", … })`. */
export function openPrimary<Database = unknown>(options: PrimaryOptions): Promise<Primary<Database>>;
export async function openPrimary(options: PrimaryOptions): Promise<Primary<unknown>> {
  const { listen, driver, file, dataDir, durability, segmentSizeBytes, ...limits } = readOptions(
    schema,
    options,
  );
  const node = await startNode({
    role: "primary",
    file,
    dataDir,
    driver,
    listen,
    start: (paths) =>
      startCapture({
        ...paths,
        driverName: driver,
        durability,
        segmentSizeBytes,
        ...limitsForEngine(PRIMARY_LIMIT_KEYS, limits),
      }),
  });
  try {
    const isLogged = durability !== "os";
    const connection = new OwnedConnection(node.driver, node.file, { isLogged });
    node.opened.defer(() => connection.close());
    return new OpenPrimary(node, connection, { ...limits, segmentSizeBytes });
  } catch (error) {
    await node.opened.disposeAsync();
    throw error;
  }
}

class OpenPrimary extends EventEmitter<PrimaryEvents> implements Primary<unknown> {
  readonly file: string;
  readonly address: string | undefined;
  private readonly capture: CaptureThread;
  private readonly connection: OwnedConnection;
  private readonly opened: AsyncDisposableStack;
  private limits: PrimaryLimits & { readonly segmentSizeBytes: number };

  constructor(
    { file, address, engine, opened, failed }: Node<CaptureThread>,
    connection: OwnedConnection,
    limits: PrimaryLimits & { readonly segmentSizeBytes: number },
  ) {
    super();
    this.limits = limits;
    this.file = file;
    this.address = address;
    this.capture = engine;
    this.connection = connection;
    this.opened = opened;
    // What was said while opening is kept for the first listener. Whoever opened this adds theirs before the next turn.
    setImmediate(() => {
      engine.on("message", (text) => void this.emit("message", text));
      engine.on("notice", (notice) => void this.emit("notice", safeNotice(notice)));
      engine.on(
        "trouble",
        (error) => void this.emit("trouble", error === null ? null : fromErrorData(error)),
      );
      void failed.then((error) => this.emit("failed", error));
    });
  }

  get database(): unknown {
    if (this.opened.disposed) throw new TailraceError("closed", `${this.file} has been closed`);
    return this.connection.handle;
  }

  durable(): Promise<{ readonly txid: Txid; readonly cursor: Cursor }> {
    return this.capture.durable();
  }

  status(): Status {
    return this.capture.status();
  }

  async configure(changes: Partial<PrimaryLimits>): Promise<void> {
    const limits = changedLimits(PRIMARY_LIMIT_KEYS, this.limits, changes);
    await this.capture.configure(limitsForEngine(PRIMARY_LIMIT_KEYS, limits));
    this.limits = { ...this.limits, ...limits };
  }

  close(): Promise<void> {
    return this.opened.disposeAsync();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
