import type { Worker } from "node:worker_threads";
import { TailraceError, asTailraceError } from "../errors.ts";
import { RpcClient } from "../rpc.ts";
import { startThread, workerUrl } from "../threads.ts";
import type { CheckpointResult } from "./checkpoint.ts";
import type { DriverName } from "./driver.ts";

export interface CheckpointWorkerData {
  readonly driverName: DriverName;
  readonly file: string;
}

/** What the worker answers. */
export type CheckpointMethods = {
  passive: () => CheckpointResult;
  close: () => void;
};

/**
 * Checkpoints in a thread and on a connection of its own, so that nothing else waits for the disk. Only PASSIVE ones:
 * they block neither writers nor readers, and never restart the WAL.
 */
export class BackgroundCheckpointer {
  private readonly worker: Worker;
  private readonly calls: RpcClient<CheckpointMethods, Record<string, never>>;
  private readonly exited: Promise<void>;
  private running: Promise<CheckpointResult> | undefined;
  private isClosing = false;
  private hasFailed = false;

  private constructor(data: CheckpointWorkerData) {
    this.worker = startThread(workerUrl("./checkpoint-worker", import.meta.url), {
      name: "tailrace-checkpoint",
      workerData: data,
    });
    this.calls = new RpcClient(this.worker);
    this.worker.on("error", (error) => {
      this.hasFailed = true;
      this.calls.fail(asTailraceError(error));
    });
    this.exited = new Promise((resolve) => {
      this.worker.on("exit", () => {
        this.calls.fail(new TailraceError("closed", "the checkpoint thread has ended"));
        resolve();
      });
    });
  }

  static start(data: CheckpointWorkerData): BackgroundCheckpointer {
    return new BackgroundCheckpointer(data);
  }

  /**
   * Copies into the database file what readers permit. One at a time: a call during another one gets that one's result.
   *
   * @throws closed after {@link close}; storage_failed (retryable) for whatever SQLite throws
   */
  passive(): Promise<CheckpointResult> {
    if (this.isClosing) return Promise.reject(new TailraceError("closed", "the checkpointer was closed"));
    this.running ??= this.calls.call("passive").finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Ends the thread, after a checkpoint that is under way. */
  async close(): Promise<void> {
    if (!this.isClosing) {
      this.isClosing = true;
      // A thread that could not even open its file has nothing to close.
      if (!this.hasFailed) await this.calls.call("close").catch(() => undefined);
      await this.worker.terminate();
    }
    await this.exited;
  }
}
