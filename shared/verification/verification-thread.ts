import { TailraceError, asTailraceError } from "../errors.ts";
import type { DatabaseView } from "../pages/database-view.ts";
import { RpcClient } from "../rpc.ts";
import { startThread, workerUrl } from "../threads.ts";
import type { DatabaseChecksum } from "../units.ts";
import type { DamagedSegment } from "./verification-status.ts";
import type { LogStretch } from "./log-scan.ts";
import { LOG_BYTES_SIGNAL, PAGES_SIGNAL, STOP_SIGNAL } from "./verification-task.ts";
import type { PageHashes, VerificationMethods, VerificationTask } from "./verification-task.ts";

/** A thread that reads every page of a view, or the log. The view has to stay open until {@link close} has resolved. */
export class VerificationThread {
  private readonly signals: BigInt64Array = new BigInt64Array(new SharedArrayBuffer(24));
  private readonly calls: RpcClient<VerificationMethods, Record<string, never>>;
  private readonly exited: Promise<void>;

  /** @param view left out where only the log is read */
  constructor(view?: DatabaseView) {
    const task: VerificationTask = { view: view?.share() ?? null, signals: this.signals };
    const worker = startThread(workerUrl("./verification-worker", import.meta.url), {
      name: "tailrace-verification",
      workerData: task,
    });
    this.calls = new RpcClient(worker);
    worker.on("error", (error) => this.calls.fail(asTailraceError(error)));
    this.exited = new Promise((resolve) => {
      worker.on("exit", () => {
        this.calls.fail(new TailraceError("closed", "the verification's thread has ended"));
        resolve();
      });
    });
  }

  /** Pages read in the present pass. */
  get pagesDone(): number {
    return Number(Atomics.load(this.signals, PAGES_SIGNAL));
  }

  /** Log bytes read. */
  get logBytesDone(): number {
    return Number(Atomics.load(this.signals, LOG_BYTES_SIGNAL));
  }

  /** XOR of all pages. @throws storage_failed, damaged; closed after {@link stop} */
  checksum(): Promise<DatabaseChecksum> {
    return this.calls.call("checksum");
  }

  /** The next slice of a second pass over all pages; null at its end. @throws as {@link checksum} */
  nextHashes(): Promise<PageHashes | null> {
    return this.calls.call("nextHashes");
  }

  /** The first place from which a stretch of the log cannot be read on; null where there is none. @throws as {@link checksum} */
  logDamage(stretch: LogStretch): Promise<DamagedSegment | null> {
    return this.calls.call("logDamage", stretch);
  }

  /** What is under way ends with `closed`, within the time that reading 1 MiB takes. */
  stop(): void {
    Atomics.store(this.signals, STOP_SIGNAL, 1n);
  }

  /** Resolves when the thread has ended, and is sure to read no more. */
  async close(): Promise<void> {
    this.stop();
    await this.calls.call("close").catch(() => undefined);
    await this.exited;
  }
}
