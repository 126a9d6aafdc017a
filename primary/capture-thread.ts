import { Worker } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { TailraceError, asTailraceError, fromErrorData } from "../shared/errors.ts";
import type { ErrorData } from "../shared/errors.ts";
import { RpcClient } from "../shared/rpc.ts";
import type { NodeHead, SnapshotInfo } from "../shared/serve/engine.ts";
import { workerUrl } from "../shared/threads.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import type { CaptureOptions } from "./capture-options.ts";
import type { CaptureEvents, CaptureMethods, ServePortMessage } from "./capture-worker.ts";

export type { CaptureOptions } from "./capture-options.ts";

/** What a capture tells whoever started it. */
export interface CaptureListeners {
  /** Something new is durable in the log. */
  readonly onHead?: (head: NodeHead) => void;
  /** A sentence for the user: switched to WAL mode, a new log begins … */
  readonly onMessage?: (text: string) => void;
  /** An error that is being retried; null when it has passed. */
  readonly onTrouble?: (error: ErrorData | null) => void;
  /** The capture has ended by an error; all that is left is to close it. */
  readonly onFailed?: (error: TailraceError) => void;
}

/** A primary's engine in a thread of its own: nothing that runs on the caller's thread delays it. */
export class CaptureThread {
  private readonly worker: Worker;
  private readonly calls: RpcClient<CaptureMethods, CaptureEvents>;
  private readonly exited: Promise<void>;
  private closing: Promise<void> | undefined;

  /** Starts the thread, and waits until the log and the database are at one state. @throws anything wrong with either */
  static async start(options: CaptureOptions, listeners: CaptureListeners = {}): Promise<CaptureThread> {
    const thread = new CaptureThread(options, listeners);
    try {
      await thread.calls.call("start");
      return thread;
    } catch (error) {
      await thread.worker.terminate();
      throw error;
    }
  }

  private constructor(options: CaptureOptions, listeners: CaptureListeners) {
    this.worker = new Worker(workerUrl("./capture-worker", import.meta.url), {
      name: "tailrace-capture",
      workerData: options,
      // The end of the thread must close no descriptor: that would drop the process's locks (held-files.ts).
      trackUnmanagedFds: false,
    });
    this.calls = new RpcClient(this.worker);
    this.calls.on("head", (head) => listeners.onHead?.(head));
    this.calls.on("message", (text) => listeners.onMessage?.(text));
    this.calls.on("trouble", (error) => listeners.onTrouble?.(error));
    this.calls.on("failed", (error) => listeners.onFailed?.(fromErrorData(error)));
    this.worker.on("error", (error) => {
      this.calls.fail(asTailraceError(error));
      listeners.onFailed?.(asTailraceError(error));
    });
    this.exited = new Promise((resolve) => {
      this.worker.on("exit", () => {
        this.calls.fail(new TailraceError("closed", "the primary was closed"));
        resolve();
      });
    });
  }

  /** Resolves when every commit so far is durable in the log. */
  durable(): Promise<{ txid: Txid; cursor: Cursor }> {
    return this.calls.call("durable");
  }

  status(): Promise<Record<string, unknown>> {
    return this.calls.call("status");
  }

  /** Makes a snapshot of the present state. */
  snapshot(): Promise<SnapshotInfo> {
    return this.calls.call("snapshot");
  }

  /** Copies the SQLite WAL into the database file, as far as readers permit. */
  checkpoint(): Promise<{ isComplete: boolean }> {
    return this.calls.call("checkpoint");
  }

  /** Connects a serving thread: its calls are answered, and it hears of each new head, the present one at once. */
  connectServe(port: MessagePort): void {
    this.worker.postMessage({ kind: "serve-port", port } satisfies ServePortMessage, [port]);
  }

  /** Captures what is committed, checkpoints, and ends the thread. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
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
export function startCapture(
  options: CaptureOptions,
  listeners: CaptureListeners = {},
): Promise<CaptureThread> {
  return CaptureThread.start(options, listeners);
}
