import type { MessagePort } from "node:worker_threads";
import { TailraceError, fromErrorData } from "../errors.ts";
import { RpcClient } from "../rpc.ts";
import type { EngineStatus } from "../status.ts";
import type { EngineEvents, EngineMethods, NodeHead, ServeReport, SnapshotInfo } from "./engine.ts";

/** Questions that the engine has not answered yet. It answers them one by one; past this it does not answer at all. */
const MAX_QUESTIONS = 100;

/** What the serving thread knows of the engine behind it, as of its last word. */
export class NodeState {
  private readonly engine: RpcClient<EngineMethods, EngineEvents>;
  private readonly changed = new Set<() => void>();
  private newestHead: NodeHead | undefined;
  private unreadyBy: TailraceError | undefined;
  private pendingSnapshot: Promise<SnapshotInfo> | undefined;
  private pendingTaking: Promise<SnapshotInfo> | undefined;
  private questionCount = 0;
  private isStopping = false;
  private isGone = false;
  /** Resolves when the engine has said for the first time whether it can serve, or is gone. */
  readonly spoken: Promise<void>;

  constructor(port: MessagePort) {
    this.engine = new RpcClient(port);
    this.spoken = new Promise((resolve) => this.changed.add(resolve));
    this.engine.on("head", (head) => {
      this.newestHead = head;
      this.announce();
    });
    this.engine.on("unready", (error) => {
      this.unreadyBy = error === null ? undefined : fromErrorData(error);
      this.announce();
    });
    port.on("close", () => {
      const gone = new TailraceError("not_ready", "the engine of this node has stopped", { retryable: true });
      this.isGone = true;
      this.unreadyBy ??= gone;
      this.engine.fail(gone);
      this.announce();
    });
  }

  /** Why the log cannot be served now; undefined when it can. */
  get unready(): TailraceError | undefined {
    if (this.isStopping) return new TailraceError("not_ready", "the node is stopping", { retryable: true });
    if (this.unreadyBy !== undefined) return this.unreadyBy;
    if (this.newestHead !== undefined) return undefined;
    return new TailraceError("not_ready", "the node is starting", {
      retryable: true,
      hint: "Ask again in a moment.",
    });
  }

  /** The last head that the engine sent, ready or not. */
  get lastHead(): NodeHead | undefined {
    return this.newestHead;
  }

  /** @throws not_ready, or what the engine stated */
  head(): NodeHead {
    const { unready } = this;
    if (unready !== undefined) throw unready;
    return this.newestHead!;
  }

  /** Calls the listener at every new head, and when the node becomes ready or ceases to be. */
  onChange(listener: () => void): void {
    this.changed.add(listener);
  }

  /** The newest snapshot; one call to the engine for all that ask at once. */
  snapshot(): Promise<SnapshotInfo> {
    this.pendingSnapshot ??= this.engine.call("snapshot").finally(() => (this.pendingSnapshot = undefined));
    return this.pendingSnapshot;
  }

  /** A new generation; one call to the engine for all that ask for one at once. However long it takes. */
  takeSnapshot(): Promise<SnapshotInfo> {
    this.assertThere();
    this.pendingTaking ??= this.engine.call("takeSnapshot").finally(() => (this.pendingTaking = undefined));
    return this.pendingTaking;
  }

  status(report: ServeReport): Promise<EngineStatus> {
    return this.engine.call("status", report);
  }

  report(report: ServeReport): Promise<void> {
    return this.engine.call("report", report);
  }

  /** The engine has ended: it will never answer again. */
  get isEngineGone(): boolean {
    return this.isGone;
  }

  /**
   * Asks the engine something that it is to answer within a limit; ready to serve or not, but it has to be there.
   *
   * @throws not_ready, overloaded, timeout; what the engine throws
   */
  async ask<K extends keyof EngineMethods>(
    limitMs: number,
    method: K,
    ...argument: Parameters<EngineMethods[K]>
  ): Promise<Awaited<ReturnType<EngineMethods[K]>>> {
    this.assertThere();
    if (this.questionCount >= MAX_QUESTIONS) {
      throw new TailraceError("overloaded", `${MAX_QUESTIONS} questions to the engine are unanswered`, {
        retryable: true,
        hint: "Ask again when /status says that the engine is answering.",
      });
    }
    this.questionCount += 1;
    const answer = this.engine.call(method, ...argument).finally(() => (this.questionCount -= 1));
    return await within(answer, limitMs, method);
  }

  /** From here on the node is unready. */
  stop(): void {
    this.isStopping = true;
    this.announce();
  }

  /** @throws not_ready before the engine has spoken, and when the node stops */
  private assertThere(): void {
    const hasSpoken = this.newestHead !== undefined || this.unreadyBy !== undefined;
    if (this.unready !== undefined && (this.isStopping || !hasSpoken)) throw this.unready;
  }

  private announce(): void {
    for (const listener of this.changed) listener();
  }
}

/** @throws timeout; the answer, whatever it will be, is then nobody's */
async function within<T>(answer: Promise<T>, limitMs: number, method: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(
        new TailraceError("timeout", `the engine has not answered "${method}" within ${limitMs} ms`, {
          retryable: true,
          hint: "It may be done all the same: look at /status.",
        }),
      ),
    limitMs,
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
