import { TailraceError } from "../../shared/errors.ts";
import type { EngineMethods, NodeHead, ServeReport, SnapshotInfo } from "../../shared/serve/engine.ts";
import type { EngineStatus, LogStatus, ReplicaStatus } from "../../shared/status.ts";
import type { VerificationStatus } from "../../shared/verification/verification-status.ts";

/** When the engine answers, by its own word. Unix ms. */
export const ENGINE_MS = 1_700_000_000_500;

/** A replica that has all there is. */
export function madeUpReplica(id: string, changes: Partial<ReplicaStatus> = {}): ReplicaStatus {
  return {
    id,
    address: "127.0.0.1",
    state: "streaming",
    sent: null,
    received: { segment: 1, offset: 80 },
    appliedTxid: 1,
    lagTransactions: 0,
    lagBytes: 0,
    lagSeconds: 0,
    freshAsOfMs: ENGINE_MS,
    firstSeenMs: ENGINE_MS - 60_000,
    lastSeenMs: ENGINE_MS,
    inactiveSinceMs: null,
    releaseAtMs: null,
    retention: "reserved",
    bytesUntilLost: 10 << 20,
    secondsUntilLost: null,
    lostAtMs: null,
    timesLost: 0,
    ...changes,
  };
}

/** What serves where no engine is: the answers that the server may ask for, and the reports that it has made. */
export class MadeUpEngine {
  readonly reports: ServeReport[] = [];
  /** Those of the status, as long as nobody replaces them. */
  replicas: ReplicaStatus[] = [];
  /** Method by method, what is asked for; may be replaced. */
  readonly methods: EngineMethods;

  constructor(head: () => NodeHead, snapshot: () => Promise<SnapshotInfo> | SnapshotInfo) {
    this.methods = {
      status: (report) => {
        this.reports.push(report);
        return this.status(head());
      },
      report: (report) => {
        this.reports.push(report);
      },
      snapshot,
      takeSnapshot: snapshot,
      checkpoint: () => ({ isComplete: true, walFrames: 7, copiedFrames: 7 }),
      forget: (id) => {
        const forgotten = this.replicas.find((replica) => replica.id === id);
        if (forgotten === undefined)
          throw new TailraceError("replica_unknown", `no replica ${id} is tracked`);
        this.replicas = this.replicas.filter((replica) => replica !== forgotten);
        return forgotten;
      },
      segments: () => [],
      startVerification: () => VERIFICATION,
      verification: () => VERIFICATION,
      metrics: () => [],
    };
  }

  private status(head: NodeHead): EngineStatus {
    return {
      asOfMs: ENGINE_MS,
      database: {
        file: "app.db",
        pageSizeBytes: head.pageSizeBytes,
        pageCount: 7,
        sizeBytes: 7 * head.pageSizeBytes,
        checksum: head.databaseChecksum,
        isReadable: true,
      },
      log: madeUpLog(head),
      snapshots: [],
      snapshotSinceMs: null,
      replicas: this.replicas,
      errors: [],
      lastError: null,
      upkeepTroubles: [],
      wal: { sizeBytes: 4152 },
    };
  }
}

const VERIFICATION: VerificationStatus = {
  state: "running",
  txid: 3,
  expectedChecksum: "00000000000000aa",
  foundChecksum: null,
  pagesDone: 2,
  pagesTotal: 7,
  differentPages: [],
  logBytesDone: 0,
  logBytesTotal: 0,
  logDamage: [],
  startedMs: ENGINE_MS,
  endedMs: null,
  error: null,
};

export function madeUpLog({
  logId,
  epoch,
  pageSizeBytes,
  start,
  end,
  txid,
  commitTimeMs,
  databaseChecksum,
}: NodeHead): LogStatus {
  return {
    logId,
    epoch,
    pageSizeBytes,
    start,
    end,
    headTxid: txid,
    headTimeMs: commitTimeMs,
    databaseChecksum,
    durability: "os",
    sizeBytes: end.offset,
    segmentCount: end.segment - start.segment + 1,
    bytesPerSecond: null,
    commitsPerSecond: null,
    keepBytes: 0,
    keepMs: 0,
    maxBytes: 10 << 20,
    holdInactiveMs: 60_000,
    diskFreeBytes: null,
    diskSizeBytes: null,
  };
}
