import type { MessagePort, Worker } from "node:worker_threads";
import { TailraceError, asTailraceError, fromErrorData } from "../shared/errors.ts";
import { BlockingQuestion } from "../shared/blocking-question.ts";
import type { Notice } from "../shared/notice.ts";
import { RpcClient } from "../shared/rpc.ts";
import type { CheckpointOutcome, SnapshotInfo } from "../shared/serve/engine.ts";
import type { ReplicaEngineStatus, ReplicaStatus } from "../shared/status.ts";
import { startThread, workerUrl } from "../shared/threads.ts";
import type { Txid } from "../shared/units.ts";
import type { FeedLimits, FollowEvents, FollowMethods, FollowOptions } from "./follow-options.ts";

export type { FeedLimits, FollowOptions } from "./follow-options.ts";

const MAX_EARLY_MESSAGES = 100;
/** Notices whose text is for the user, too. Errors come by the event `failed`. */
const SPOKEN: ReadonlySet<Notice["level"]> = new Set(["info", "warn"]);

/** For {@link FollowThread.sync} and {@link FollowThread.waitFor} where the caller names no limit. */
export const DEFAULT_TIMEOUT_MS = 60_000;

export interface FollowThreadEvents {
  /** Readers of the file see this transaction. */
  readonly applied: { readonly txid: Txid };
  /** The file had vanished, and was fetched again: connections to the one before see nothing new any more. */
  readonly rebuilt: null;
  /** The follow machine's state, as in status. */
  readonly state: string;
  /** For people. */
  readonly message: string;
  /** For the structured log: the messages, and what is only for operators. */
  readonly notice: Notice;
  /** Only a human can help: following has ended, the file stays as it is. */
  readonly failed: TailraceError;
}

type Listeners = { [K in keyof FollowThreadEvents]: Set<(event: FollowThreadEvents[K]) => void> };

/**
 * Starts to follow, in a thread of its own.
 *
 * @returns once the replica's own files are open; the network has not been touched then
 * @throws unrelated_database, data_folder_in_use, folder_missing, unsupported_file_system, read_only, driver_unavailable,
 * invalid_configuration, unknown_version, storage_failed
 */
export async function startFollowing(options: FollowOptions): Promise<FollowThread> {
  return await FollowThread.start(options);
}

/** The user's side of a replica's thread. */
export class FollowThread {
  /** Resolves once the database exists, is proven to be at a state, and can be read. Rejects if that will never be. */
  readonly ready: Promise<void>;
  private readonly worker: Worker;
  private readonly calls: RpcClient<FollowMethods, FollowEvents>;
  private readonly exited: Promise<void>;
  private readonly listeners: Listeners = {
    applied: new Set(),
    rebuilt: new Set(),
    state: new Set(),
    message: new Set(),
    notice: new Set(),
    failed: new Set(),
  };
  /** Messages and notices from before anybody listened. */
  private readonly early: { message: string[]; notice: Notice[] } = { message: [], notice: [] };
  /** There from the moment that the thread is open. */
  private question: BlockingQuestion<ReplicaEngineStatus> | undefined;
  private failure: TailraceError | undefined;
  private closing: Promise<void> | undefined;

  private constructor(worker: Worker) {
    this.worker = worker;
    this.calls = new RpcClient(worker);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    // Whoever does not wait for it learns of a failure by the event.
    promise.catch(() => undefined);
    this.calls.on("ready", () => resolve());
    this.calls.on("applied", (event) => this.announce("applied", event));
    this.calls.on("rebuilt", (event) => this.announce("rebuilt", event));
    this.calls.on("state", (event) => this.announce("state", event));
    this.calls.on("notice", (notice) => {
      this.say("notice", notice);
      if (SPOKEN.has(notice.level)) this.say("message", notice.text);
    });
    const fail = (error: TailraceError): void => {
      this.failure ??= error;
      reject(error);
      this.announce("failed", error);
    };
    this.calls.on("failed", (error) => fail(fromErrorData(error)));
    worker.on("error", (error) => fail(asTailraceError(error)));
    this.exited = new Promise((exited) => {
      worker.once("exit", () => {
        const gone = new TailraceError("closed", "the replica was closed");
        this.calls.fail(gone);
        this.question?.fail(this.failure ?? gone);
        reject(gone);
        exited();
      });
    });
  }

  static async start(options: FollowOptions): Promise<FollowThread> {
    const worker = startThread(workerUrl("./follow-worker", import.meta.url), {
      name: "tailrace follow",
      workerData: options,
    });
    const thread = new FollowThread(worker);
    try {
      await new Promise<void>((resolve, reject) => {
        thread.calls.on("opened", (error) => (error === null ? resolve() : reject(fromErrorData(error))));
        thread.ready.catch(reject);
      });
      thread.question = new BlockingQuestion(worker, await thread.calls.call("status"));
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    return thread;
  }

  /** What was said before the first listener came is told to it at once. */
  on<K extends keyof FollowThreadEvents>(name: K, listener: (event: FollowThreadEvents[K]) => void): void {
    (this.listeners[name] as Set<(event: FollowThreadEvents[K]) => void>).add(listener);
    const { failure } = this;
    const early: unknown[] =
      name === "message"
        ? this.early.message.splice(0)
        : name === "notice"
          ? this.early.notice.splice(0)
          : [];
    if (early.length > 0)
      queueMicrotask(() => early.forEach((said) => listener(said as FollowThreadEvents[K])));
    if (name === "failed" && failure !== undefined)
      queueMicrotask(() => listener(failure as FollowThreadEvents[K]));
  }

  /**
   * Catches up with the primary's head as of now.
   *
   * @returns what readers of the file see at least
   * @throws timeout, unreachable, closed, and whatever has stopped the replica
   */
  async sync({ timeoutMs = DEFAULT_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<Txid> {
    const { txid, status } = await this.calls.call("sync", timeoutMs);
    this.question?.remember(status);
    return txid;
  }

  /** Waits until readers of the file see a transaction. @throws timeout, closed, and whatever has stopped the replica */
  async waitFor(
    txid: Txid,
    { timeoutMs = DEFAULT_TIMEOUT_MS }: { readonly timeoutMs?: number } = {},
  ): Promise<void> {
    this.question?.remember(await this.calls.call("waitFor", { txid, timeoutMs }));
  }

  /**
   * The engine's part of the status document, as of now; where the thread does not answer at once, the newest one known,
   * whose `asOfMs` tells its age. Never behind what {@link waitFor} or {@link sync} has waited for.
   *
   * @throws closed, and whatever has ended the thread
   */
  status(): ReplicaEngineStatus {
    return this.question!.ask();
  }

  /** A snapshot of the present state, for those that this replica feeds. @throws not_ready, diverged, storage_failed */
  snapshot(): Promise<SnapshotInfo> {
    return this.calls.call("snapshot");
  }

  /** Copies the replica's SQLite WAL into its database file, as far as readers permit. @throws not_ready, storage_failed */
  checkpoint(): Promise<CheckpointOutcome> {
    return this.calls.call("checkpoint");
  }

  /** Lets go of a replica that this one feeds: its log is no longer held. @throws replica_unknown */
  forget(id: string): Promise<ReplicaStatus> {
    return this.calls.call("forget", id);
  }

  /** Other limits from now on, of what is kept for those that this replica feeds. What is left out stays as it is. */
  configure(limits: FeedLimits): Promise<void> {
    return this.calls.call("configure", limits);
  }

  /** Makes the replica answer a serving thread, as its engine (shared/serve/engine.ts). */
  connectServe(enginePort: MessagePort): Promise<void> {
    this.worker.postMessage({ kind: "connect-serve", port: enginePort }, [enginePort]);
    return Promise.resolve();
  }

  /** Ends following; database and data folder are left in order. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    try {
      await this.calls.call("close");
    } catch (error) {
      // A thread that is gone has nothing left to close.
      if (asTailraceError(error).code !== "closed") throw error;
    } finally {
      await this.worker.terminate();
      await this.exited;
    }
  }

  private say<K extends "message" | "notice">(name: K, said: FollowThreadEvents[K]): void {
    const early = this.early[name] as FollowThreadEvents[K][];
    if (this.listeners[name].size > 0) this.announce(name, said);
    else if (early.length < MAX_EARLY_MESSAGES) early.push(said);
  }

  private announce<K extends keyof FollowThreadEvents>(name: K, event: FollowThreadEvents[K]): void {
    for (const listener of this.listeners[name]) listener(event);
  }
}
