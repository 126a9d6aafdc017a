/*
 * Status documents as nodes serve them: the two of one pair at one moment.
 */

const NOW_MS = 1_795_226_911_862;
const LOG = {
  logId: "49ac4270a921a73513540fc8962d8566",
  epoch: 1,
  pageSizeBytes: 4096,
  start: { segment: 1, offset: 0 },
  end: { segment: 3, offset: 5_115_072 },
  headTxid: 1204,
  headTimeMs: 1_795_226_911_333,
  databaseChecksum: "d565dd66690081ef",
};

export function primaryStatus(changes: object = {}): object {
  return {
    role: "primary",
    database: {
      file: "/srv/app.db",
      pageSizeBytes: 4096,
      pageCount: 262_144,
      checksum: "d565dd66690081ef",
    },
    log: { ...LOG, durability: "commit" },
    wal: {
      publishedFrames: 2804,
      capturedFrames: 2804,
      backfilledFrames: 0,
      mayRestart: false,
      completedCheckpoints: 12,
      heldWriters: 0,
    },
    checkpointedTxid: 1100,
    differences: 0,
    snapshots: [
      { generation: 1, txid: 0, createdMs: 1_795_140_511_862, sizeBytes: 4096 },
      { generation: 2, txid: 977, createdMs: 1_795_226_509_659, sizeBytes: 1_073_741_824 },
    ],
    lastError: null,
    asOfMs: NOW_MS,
    protocol: 1,
    isReady: true,
    unready: null,
    startedMs: 1_795_215_391_862,
    nowMs: NOW_MS,
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
        lastSeenMs: 1_795_226_911_347,
        inactiveSinceMs: null,
        bytesUntilLost: null,
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
        lastSeenMs: 1_795_219_527_662,
        inactiveSinceMs: 1_795_219_527_662,
        bytesUntilLost: 268_435_456,
      },
    ],
    ...changes,
  };
}

export function replicaStatus(changes: object = {}): object {
  const cursor = "0000000000000003:00000000004e0c80";
  return {
    role: "replica",
    id: "edge-1",
    source: "http://10.0.0.1:4800/",
    state: "following",
    database: { file: "/srv/edge.db", isReadable: true, pageSizeBytes: 4096, pageCount: 262_144 },
    copy: { logId: LOG.logId, epoch: 1, start: "0000000000000001:0000000000000050", end: cursor },
    position: {
      txid: 1203,
      cursor,
      databaseChecksum: "00000000690081ef",
      commitTimeMs: 1_795_226_911_301,
    },
    lag: { transactions: 1, bytes: 4256, milliseconds: 12.3 },
    receiver: {
      state: "receiving",
      cursor,
      primaryTxid: 1204,
      lastContactMs: 1_795_226_911_343,
      failures: 0,
      retries: 2,
      nextTryMs: null,
    },
    applier: { state: "idle", backlogBytes: 4256, blockedBy: null },
    wal: { frames: 28, copiedFrames: 0, sizeBytes: 115_392, checkpoints: 3, restarts: 1 },
    bootstraps: 1,
    resyncs: 0,
    progress: null,
    lastError: null,
    asOfMs: NOW_MS,
    protocol: 1,
    isReady: true,
    unready: null,
    startedMs: 1_795_215_391_862,
    nowMs: NOW_MS,
    log: { ...LOG, start: { segment: 1, offset: 80 } },
    waitingRequests: 0,
    downloads: 0,
    replicas: [],
    ...changes,
  };
}
