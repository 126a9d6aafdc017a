import type { MessagePort } from "node:worker_threads";
import { TailraceError, toErrorData } from "../shared/errors.ts";
import type { Position } from "../shared/format/position.ts";
import { answerCalls, emit } from "../shared/rpc.ts";
import type { EngineEvents, EngineMethods, NodeHead, SourceStanding } from "../shared/serve/engine.ts";
import { hex64 } from "../shared/units.ts";

/** An offset of the clocks that changes by less is noise of the network. */
const CLOCK_NOISE_MS = 50;

export interface ServeSourceOptions {
  readonly methods: EngineMethods;
  /** The first byte of the log copy; undefined while there is none. */
  readonly logStart: () => NodeHead["start"] | undefined;
  /** How old the newest transaction is, and how much more there is. */
  readonly source: () => SourceStanding;
  /** There is a new head for those that are fed. */
  readonly onHead: (head: NodeHead) => void;
  /** A serving thread has gone: nobody will take back what it has said. */
  readonly onServerGone: () => void;
}

/** A replica as the engine of serving threads: it serves its copy of the log as far as it has applied it. */
export class ServeSource {
  private readonly options: ServeSourceOptions;
  private readonly ports = new Set<MessagePort>();
  private head: NodeHead | undefined;
  private isClosed = false;

  constructor(options: ServeSourceOptions) {
    this.options = options;
  }

  connect(port: MessagePort): void {
    this.ports.add(port);
    port.on("close", () => {
      this.ports.delete(port);
      if (!this.isClosed) this.options.onServerGone();
    });
    answerCalls(port, this.options.methods);
    if (this.head === undefined) {
      const starting = new TailraceError("not_ready", "the replica has no database yet", { retryable: true });
      emit<EngineEvents, "unready">(port, "unready", toErrorData(starting));
    } else {
      emit<EngineEvents, "head">(port, "head", this.head);
    }
  }

  /** Everything up to the position is applied, and as durable as it has to be: others may have it. */
  settled({ logId, epoch, pageSizeBytes, applied, commitTimeMs }: Position): void {
    const start = this.options.logStart();
    if (start === undefined) return;
    this.announce({
      logId,
      epoch,
      pageSizeBytes,
      txid: applied.txid,
      commitTimeMs: commitTimeMs === 0 ? null : commitTimeMs,
      databaseChecksum: hex64(applied.checksum),
      start,
      end: applied.cursor,
      ...this.options.source(),
    });
  }

  /** Time has passed: those who are fed are told when the replica has lost touch, is in touch again, or has lost log. */
  tended(): void {
    const { head, options } = this;
    const start = options.logStart();
    if (head === undefined || start === undefined) return;
    const now = { ...head, start, ...options.source() };
    if (!isSameSource(head, now)) this.announce(now);
  }

  close(): void {
    this.isClosed = true;
    for (const port of this.ports) port.close();
  }

  private announce(head: NodeHead): void {
    const wasReady = this.head !== undefined;
    this.head = head;
    this.options.onHead(head);
    for (const port of this.ports) {
      emit<EngineEvents, "head">(port, "head", head);
      if (!wasReady) emit<EngineEvents, "unready">(port, "unready", null);
    }
  }
}

function isSameSource(a: NodeHead, b: NodeHead): boolean {
  const isSameClock =
    a.clockOffsetMs === b.clockOffsetMs ||
    Math.abs((a.clockOffsetMs ?? Infinity) - (b.clockOffsetMs ?? Infinity)) < CLOCK_NOISE_MS;
  return isSameClock && a.freshAsOfMs === b.freshAsOfMs && a.start.segment === b.start.segment;
}
