import type { MessagePort } from "node:worker_threads";
import { TailraceError, toErrorData } from "../shared/errors.ts";
import type { Position } from "../shared/format/position.ts";
import { answerCalls, emit } from "../shared/rpc.ts";
import type { EngineEvents, EngineMethods, NodeHead, SnapshotInfo } from "../shared/serve/engine.ts";
import { SnapshotStore } from "../shared/snapshots/snapshot-store.ts";
import { takeSnapshot } from "../shared/snapshots/take-snapshot.ts";
import { hex64 } from "../shared/units.ts";
import type { Cursor } from "../shared/units.ts";
import { isSameWal } from "./left-mark.ts";
import type { LocalReplica } from "./local-replica.ts";

/** How often a snapshot is tried while commits go on between the position and the view. */
const MAX_VIEW_TRIES = 100;

export interface ServeSourceOptions {
  readonly local: LocalReplica;
  readonly snapshotsFolder: string;
  readonly status: () => Record<string, unknown>;
  /** Unix ms. */
  readonly wallMs: () => number;
}

/**
 * A replica as the source of others: it serves its copy of the log as far as it has applied it, and snapshots of its own
 * database, taken when the first one asks.
 */
export class ServeSource {
  private readonly options: ServeSourceOptions;
  private readonly ports = new Set<MessagePort>();
  private head: NodeHead | undefined;
  private taking: Promise<SnapshotInfo> | undefined;
  private store: SnapshotStore | undefined;

  constructor(options: ServeSourceOptions) {
    this.options = options;
  }

  connect(port: MessagePort): void {
    this.ports.add(port);
    port.on("close", () => this.ports.delete(port));
    const methods: EngineMethods = {
      status: () => this.options.status(),
      snapshot: () => (this.taking ??= this.snapshot().finally(() => (this.taking = undefined))),
    };
    answerCalls(port, methods);
    if (this.head === undefined) {
      const starting = new TailraceError("not_ready", "the replica has no database yet", { retryable: true });
      emit<EngineEvents, "unready">(port, "unready", toErrorData(starting));
    } else {
      emit<EngineEvents, "head">(port, "head", this.head);
    }
  }

  /** Everything up to the position is applied, and as durable as it has to be: others may have it. */
  settled({ logId, epoch, pageSizeBytes, applied, commitTimeMs }: Position): void {
    const start = this.options.local.logStart;
    if (start === undefined) return;
    const wasReady = this.head !== undefined;
    this.head = {
      logId,
      epoch,
      pageSizeBytes,
      txid: applied.txid,
      commitTimeMs: commitTimeMs === 0 ? null : commitTimeMs,
      databaseChecksum: hex64(applied.checksum),
      start,
      end: applied.cursor,
    };
    for (const port of this.ports) {
      emit<EngineEvents, "head">(port, "head", this.head);
      if (!wasReady) emit<EngineEvents, "unready">(port, "unready", null);
    }
  }

  close(): void {
    for (const port of this.ports) port.close();
  }

  /** The newest one from which the log copy still leads on, or a new one. */
  private async snapshot(): Promise<SnapshotInfo> {
    const { local, snapshotsFolder, wallMs } = this.options;
    this.store ??= SnapshotStore.open(snapshotsFolder);
    const { store } = this;
    const newest = store.newest(local.position?.logId ?? "");
    if (newest !== undefined && local.logStart !== undefined && isAtOrAfter(newest.cursor, local.logStart)) {
      return newest;
    }
    const { view, position } = this.pinnedView();
    try {
      const { applied, logId, epoch } = position;
      const snapshot = await takeSnapshot(store, {
        view,
        txid: applied.txid,
        databaseChecksum: applied.checksum,
        cursor: applied.cursor,
        logId,
        epoch,
        createdMs: wallMs(),
      });
      for (const { generation } of store.list().slice(0, -2)) store.delete(generation);
      return snapshot;
    } finally {
      view.close();
    }
  }

  /** A view of exactly the state that the position names. */
  private pinnedView(): {
    readonly view: ReturnType<NonNullable<LocalReplica["open"]>["view"]>;
    readonly position: Position;
  } {
    const { local } = this.options;
    for (let attempt = 0; attempt < MAX_VIEW_TRIES; attempt++) {
      const { open, position } = local;
      if (open === undefined || position === undefined || local.received === undefined) break;
      const view = open.view();
      if (isSameWal(view.header, position.left)) return { view, position };
      view.close();
    }
    throw new TailraceError("not_ready", "the replica's database is not at a known state now", {
      retryable: true,
    });
  }
}

function isAtOrAfter(a: Cursor, b: Cursor): boolean {
  return a.segment > b.segment || (a.segment === b.segment && a.offset >= b.offset);
}
