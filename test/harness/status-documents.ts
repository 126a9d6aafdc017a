import type {
  LogStatus,
  PrimaryEngineStatus,
  ReplicaEngineStatus,
  SnapshotStatus,
  StatusDocument,
} from "../../shared/status.ts";

/*
 * Status documents as nodes serve them: the two of one pair at one moment. Typed without the open end that the engine's
 * part has, so that a name which is not in the contract does not compile.
 */

type Known<T> = { [K in keyof T as string extends K ? never : K]: T[K] };
type Engine<T> = Omit<Known<T>, "role"> & Omit<Known<StatusDocument>, "role">;
type PrimaryDocument = Engine<PrimaryEngineStatus> & { readonly role: "primary" };
type ReplicaDocument = Engine<ReplicaEngineStatus> & { readonly role: "replica" };

const NOW_MS = 1_795_226_911_862;
const LOG: LogStatus = {
  logId: "49ac4270a921a73513540fc8962d8566",
  epoch: 1,
  pageSizeBytes: 4096,
  start: { segment: 1, offset: 0 },
  end: { segment: 3, offset: 5_115_072 },
  headTxid: 1204,
  headTimeMs: 1_795_226_911_333,
  databaseChecksum: "d565dd66690081ef",
  durability: "commit",
  sizeBytes: 139_332_800,
  segmentCount: 3,
  bytesPerSecond: 51_200.5,
  commitsPerSecond: 12.3,
  keepBytes: 1_073_741_824,
  keepMs: 0,
  maxBytes: 10_737_418_240,
  holdInactiveMs: 86_400_000,
  diskFreeBytes: 214_748_364_800,
  diskSizeBytes: 536_870_912_000,
};
const NODE = {
  asOfMs: NOW_MS,
  protocol: 1,
  version: "0.1.0",
  isReady: true,
  unready: null,
  startedMs: 1_795_215_391_862,
  nowMs: NOW_MS,
  isEngineAnswering: true,
  snapshotSinceMs: null,
  errors: [],
  lastError: null,
  upkeepTroubles: [],
} as const;

function snapshot(change: Partial<SnapshotStatus>): SnapshotStatus {
  return {
    generation: 1,
    txid: 0,
    createdMs: 1_795_140_511_862,
    sizeBytes: 4096,
    databaseChecksum: "5f1d36e1c8a4b7d2",
    cursor: { segment: 1, offset: 80 },
    logBytesAfter: 139_332_720,
    downloads: 0,
    ...change,
  };
}

export function primaryStatus(changes: object = {}): object {
  const document: PrimaryDocument = {
    ...NODE,
    role: "primary",
    database: {
      file: "/srv/app.db",
      pageSizeBytes: 4096,
      pageCount: 262_144,
      sizeBytes: 1_073_741_824,
      checksum: "d565dd66690081ef",
      isReadable: true,
    },
    log: LOG,
    wal: {
      sizeBytes: 11_552_512,
      publishedFrames: 2804,
      capturedFrames: 2804,
      backfilledFrames: 0,
      mayRestart: false,
      completedCheckpoints: 12,
      heldWriters: 0,
      heldUpSinceMs: null,
      softLimitBytes: 1_048_576,
    },
    checkpointedTxid: 1100,
    differences: 0,
    comparedPagesAtStart: 0,
    snapshots: [
      snapshot({}),
      snapshot({
        generation: 2,
        txid: 977,
        createdMs: 1_795_226_509_659,
        sizeBytes: 1_073_741_824,
        databaseChecksum: "3c9b40c41b1e6d07",
        cursor: { segment: 2, offset: 60_817_408 },
        logBytesAfter: 11_406_528,
      }),
    ],
    replicasLost: 0,
    replicasReleased: 0,
    replicasTotal: 2,
    waitingRequests: 1,
    downloads: 0,
    replicas: [
      {
        id: "edge-1",
        address: "10.0.0.7",
        state: "streaming",
        sent: { segment: 3, offset: 5_115_072 },
        received: { segment: 3, offset: 5_115_072 },
        appliedTxid: 1204,
        lagTransactions: 0,
        lagBytes: 0,
        lagSeconds: 0,
        freshAsOfMs: NOW_MS,
        firstSeenMs: 1_795_215_392_101,
        lastSeenMs: 1_795_226_911_347,
        inactiveSinceMs: null,
        releaseAtMs: null,
        retention: "reserved",
        bytesUntilLost: 10_737_418_240,
        secondsUntilLost: null,
        lostAtMs: null,
        timesLost: 0,
      },
      {
        id: "reporting",
        address: null,
        state: "inactive",
        sent: null,
        received: { segment: 2, offset: 80 },
        appliedTxid: 310,
        lagTransactions: 894,
        lagBytes: 71_303_168,
        lagSeconds: 7_384.2,
        freshAsOfMs: 1_795_219_527_662,
        firstSeenMs: 1_795_140_600_000,
        lastSeenMs: 1_795_219_527_662,
        inactiveSinceMs: 1_795_219_527_662,
        releaseAtMs: 1_795_305_927_662,
        retention: "extended",
        bytesUntilLost: 10_666_115_072,
        secondsUntilLost: 208_322.6,
        lostAtMs: null,
        timesLost: 0,
      },
    ],
  };
  return { ...document, ...changes };
}

export function replicaStatus(changes: object = {}): object {
  const cursor = { segment: 3, offset: 5_115_072 };
  const document: ReplicaDocument = {
    ...NODE,
    role: "replica",
    id: "edge-1",
    source: "http://10.0.0.1:4800/",
    state: "following",
    database: {
      file: "/srv/edge.db",
      pageSizeBytes: 4096,
      pageCount: 262_144,
      sizeBytes: 1_073_741_824,
      checksum: "00000000690081ef",
      isReadable: true,
    },
    log: {
      ...LOG,
      start: { segment: 1, offset: 80 },
      headTxid: 1203,
      headTimeMs: 1_795_226_911_301,
      end: { segment: 3, offset: 5_110_816 },
      databaseChecksum: "00000000690081ef",
      keepBytes: 67_108_864,
      maxBytes: 1_073_741_824,
    },
    position: {
      txid: 1203,
      cursor: { segment: 3, offset: 5_110_816 },
      databaseChecksum: "00000000690081ef",
      commitTimeMs: 1_795_226_911_301,
    },
    lag: { transactions: 1, bytes: 4256, seconds: 0.529, freshAsOfMs: 1_795_226_911_333 },
    receiver: {
      state: "receiving",
      cursor,
      primaryTxid: 1204,
      lastContactMs: 1_795_226_911_343,
      failures: 0,
      retries: 2,
      nextTryMs: null,
      receivedBytes: 139_332_720,
    },
    applier: { state: "idle", backlogBytes: 4256, blockedBy: null },
    wal: { frames: 28, copiedFrames: 0, sizeBytes: 115_392, checkpoints: 3, restarts: 1 },
    bootstraps: 1,
    resyncs: 0,
    lastResync: null,
    progress: null,
    snapshots: [],
    waitingRequests: 0,
    downloads: 0,
    replicas: [],
    replicasTotal: 0,
  };
  return { ...document, ...changes };
}
