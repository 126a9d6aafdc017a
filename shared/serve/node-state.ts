import type { MessagePort } from "node:worker_threads";
import { TailraceError, fromErrorData } from "../errors.ts";
import { RpcClient } from "../rpc.ts";
import type { EngineEvents, EngineMethods, NodeHead, SnapshotInfo } from "./engine.ts";

/** What the serving thread knows of the engine behind it, as of its last word. */
export class NodeState {
  private readonly engine: RpcClient<EngineMethods, EngineEvents>;
  private readonly changed = new Set<() => void>();
  private newestHead: NodeHead | undefined;
  private unreadyBy: TailraceError | undefined;
  private pendingSnapshot: Promise<SnapshotInfo> | undefined;
  private isStopping = false;
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

  status(): Promise<Record<string, unknown>> {
    return this.engine.call("status");
  }

  /** From here on the node is unready. */
  stop(): void {
    this.isStopping = true;
    this.announce();
  }

  private announce(): void {
    for (const listener of this.changed) listener();
  }
}
