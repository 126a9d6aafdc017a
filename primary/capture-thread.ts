import type { MessagePort, Worker } from "node:worker_threads";
import { TailraceError, asTailraceError, fromErrorData } from "../shared/errors.ts";
import type { ErrorData } from "../shared/errors.ts";
import { BlockingQuestion } from "../shared/blocking-question.ts";
import { RpcClient } from "../shared/rpc.ts";
import type { Notice } from "../shared/notice.ts";
import type { CheckpointOutcome, SnapshotInfo } from "../shared/serve/engine.ts";
import type { PrimaryEngineStatus, ReplicaStatus } from "../shared/status.ts";
import { startThread, workerUrl } from "../shared/threads.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import type { CaptureLimits, CaptureOptions } from "./capture-options.ts";
import type { CaptureEvents, CaptureMethods, ServePortMessage } from "./capture-worker.ts";

export type { CaptureLimits, CaptureOptions } from "./capture-options.ts";

/** What a capture tells whoever started it. */
export interface CaptureThreadEvents {
  /** Something that an operator should know. */
  notice: Notice;
  /** The text of each notice but the most detailed, and but those of trouble, which `trouble` tells. */
  message: string;
  /** An error that is being retried; null when it has passed. */
  trouble: ErrorData | null;
  /** The capture has ended by an error; all that is left is to close it. */
  failed: TailraceError;
}

/** What is said before anybody listens is kept for the first listener, up to this many of a kind. */
const MAX_KEPT_EVENTS = 100;

type Listener<K extends keyof CaptureThreadEvents> = (value: CaptureThreadEvents[K]) => void;

/** A primary's engine in a thread of its own: nothing that runs on the caller's thread delays it. */
export class CaptureThread {
  private readonly worker: Worker;
  private readonly calls: RpcClient<CaptureMethods, CaptureEvents>;
  private readonly exited: Promise<void>;
  private readonly listeners = new Map<string, Listener<never>>();
  private kept: { readonly name: string; readonly value: unknown }[] = [];
  /** A question after durability that has not been sent yet. */
  private asking: Promise<{ txid: Txid; cursor: Cursor }> | undefined;
  /** There from the moment that the capture has started. */
  private question: BlockingQuestion<PrimaryEngineStatus> | undefined;
  private closing: Promise<void> | undefined;

  /** Starts the thread, and waits until the log and the database are at one state. @throws anything wrong with either */
  static async start(options: CaptureOptions): Promise<CaptureThread> {
    const thread = new CaptureThread(options);
    try {
      await thread.calls.call("start");
      thread.question = new BlockingQuestion(thread.worker, await thread.calls.call("status"));
      return thread;
    } catch (error) {
      await thread.worker.terminate();
      throw error;
    }
  }

  private constructor(options: CaptureOptions) {
    this.worker = startThread(workerUrl("./capture-worker", import.meta.url), {
      name: "tailrace-capture",
      workerData: options,
    });
    this.calls = new RpcClient(this.worker);
    this.calls.on("notice", (notice) => {
      this.tell("notice", notice);
      const isTrouble = notice.name === "capture_trouble" || notice.name === "capture_recovered";
      if (notice.level !== "debug" && !isTrouble) this.tell("message", notice.text);
    });
    this.calls.on("trouble", (error) => this.tell("trouble", error));
    this.calls.on("failed", (error) => this.tell("failed", fromErrorData(error)));
    const gone = (error: TailraceError): void => {
      this.calls.fail(error);
      this.question?.fail(error);
    };
    this.worker.on("error", (error) => {
      gone(asTailraceError(error));
      this.tell("failed", asTailraceError(error));
    });
    this.exited = new Promise((resolve) => {
      this.worker.on("exit", () => {
        gone(new TailraceError("closed", "the primary was closed"));
        resolve();
      });
    });
  }

  /** One listener an event; a second replaces the first. */
  on<K extends keyof CaptureThreadEvents>(name: K, listener: Listener<K>): this {
    this.listeners.set(name, listener);
    const kept = this.kept.filter((event) => event.name === name);
    this.kept = this.kept.filter((event) => event.name !== name);
    for (const { value } of kept) listener(value as CaptureThreadEvents[K]);
    return this;
  }

  /** Resolves when every commit so far is durable in the log. All that ask in one turn are told at once. */
  durable(): Promise<{ txid: Txid; cursor: Cursor }> {
    this.asking ??= Promise.resolve().then(() => {
      // From here on a commit may come too late for this question.
      this.asking = undefined;
      return this.calls.call("durable");
    });
    return this.asking;
  }

  /**
   * The engine's part of the status document, as of now; where the thread does not answer at once, the newest one known,
   * whose `asOfMs` tells its age.
   *
   * @throws closed, not_ready while a replaced file is waited for, and whatever has ended the capture
   */
  status(): PrimaryEngineStatus {
    return this.question!.ask();
  }

  /** Makes a snapshot of the present state. */
  snapshot(): Promise<SnapshotInfo> {
    return this.calls.call("snapshot");
  }

  /** Copies the SQLite WAL into the database file, as far as readers permit. */
  checkpoint(): Promise<CheckpointOutcome> {
    return this.calls.call("checkpoint");
  }

  /** Lets go of a replica: no log is held for it any more. @throws replica_unknown */
  forget(id: string): Promise<ReplicaStatus> {
    return this.calls.call("forget", id);
  }

  /** Other limits from now on; those that are not given stay as they are. */
  configure(limits: Partial<CaptureLimits>): Promise<void> {
    return this.calls.call("configure", limits);
  }

  /** Connects a serving thread: its calls are answered, and it hears of each new head, the present one at once. */
  connectServe(port: MessagePort): Promise<void> {
    this.worker.postMessage({ kind: "serve-port", port } satisfies ServePortMessage, [port]);
    return Promise.resolve();
  }

  /** Captures what is committed, checkpoints, and ends the thread. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private tell<K extends keyof CaptureThreadEvents>(name: K, value: CaptureThreadEvents[K]): void {
    const listener = this.listeners.get(name) as Listener<K> | undefined;
    if (listener !== undefined) listener(value);
    else this.kept = [...this.kept, { name, value }].slice(-MAX_KEPT_EVENTS);
  }

  private async end(): Promise<void> {
    try {
      await this.calls.call("close");
    } finally {
      await this.worker.terminate();
      await this.exited;
    }
  }
}

/** As in {@link CaptureThread.start}. */
export function startCapture(options: CaptureOptions): Promise<CaptureThread> {
  return CaptureThread.start(options);
}
