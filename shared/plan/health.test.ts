import { describe, expect, test } from "vitest";
import type { ReplicaStatus, StatusDocument } from "../status.ts";
import { compareReplicas, healthOf } from "./health.ts";

const NOW_MS = 1_800_000_000_000;
const MINUTE_MS = 60_000;
const GIB = 1024 ** 3;

const well: ReplicaStatus = {
  id: "edge-1",
  address: "127.0.0.1",
  state: "streaming",
  sent: { segment: 1, offset: 900 },
  received: { segment: 1, offset: 900 },
  appliedTxid: 9,
  lagTransactions: 0,
  lagBytes: 0,
  lagSeconds: 0,
  freshAsOfMs: NOW_MS,
  firstSeenMs: NOW_MS - MINUTE_MS,
  lastSeenMs: NOW_MS,
  inactiveSinceMs: null,
  releaseAtMs: null,
  retention: "reserved",
  bytesUntilLost: 9 * GIB,
  secondsUntilLost: null,
  lostAtMs: null,
  timesLost: 0,
};
const endangered: ReplicaStatus = {
  ...well,
  id: "slow",
  state: "catching_up",
  lagSeconds: 4000,
  retention: "endangered",
  bytesUntilLost: 1.5 * GIB,
  secondsUntilLost: 2400,
};
const lost: ReplicaStatus = {
  ...well,
  id: "gone",
  state: "lost",
  retention: "lost",
  appliedTxid: null,
  lagTransactions: null,
  lagBytes: null,
  lagSeconds: null,
  bytesUntilLost: null,
  lostAtMs: NOW_MS - 4 * MINUTE_MS,
  timesLost: 1,
};
const inactive: ReplicaStatus = {
  ...well,
  id: "asleep",
  state: "inactive",
  lagSeconds: 600,
  inactiveSinceMs: NOW_MS - 10 * MINUTE_MS,
  releaseAtMs: NOW_MS + 60 * MINUTE_MS,
};
const late: ReplicaStatus = { ...well, id: "late", state: "catching_up", lagSeconds: 75 };

function primary(changes: Record<string, unknown> = {}): StatusDocument {
  return {
    protocol: 1,
    version: "0.1.0",
    role: "primary",
    isReady: true,
    unready: null,
    startedMs: NOW_MS - MINUTE_MS,
    nowMs: NOW_MS,
    asOfMs: NOW_MS,
    isEngineAnswering: true,
    log: null,
    snapshots: [],
    replicas: [well],
    replicasTotal: 1,
    errors: [],
    waitingRequests: 0,
    downloads: 0,
    ...changes,
  };
}
const replica = (changes: Record<string, unknown> = {}): StatusDocument =>
  primary({
    role: "replica",
    id: "edge-1",
    source: "http://127.0.0.1:4800",
    state: "following",
    replicas: [],
    replicasTotal: 0,
    ...changes,
  });
const log = (changes: Record<string, unknown>): Record<string, unknown> => ({
  headTxid: 9,
  diskFreeBytes: 50 * GIB,
  diskSizeBytes: 100 * GIB,
  ...changes,
});

describe("is all well, and what is to be done", () => {
  test.each([
    ["a primary with one replica", primary(), "All is well; its replica keeps up"],
    [
      "a primary with more",
      primary({ replicas: [well, { ...well, id: "b" }], replicasTotal: 2 }),
      "All is well; both replicas keep up",
    ],
    [
      "a primary of whose replica little is known",
      primary({ replicas: [{ ...well, lagSeconds: null }] }),
      "All is well; the lag of its replica is not known",
    ],
    [
      "a primary that nobody asks",
      primary({ replicas: [], replicasTotal: 0 }),
      "All is well; no replica has asked yet",
    ],
    ["a replica", replica(), "All is well; this replica is up to date"],
    ["a replica that catches up", replica({ state: "catching-up" }), "This replica is catching up"],
    ["a replica that bootstraps", replica({ state: "bootstrapping" }), "This replica is bootstrapping"],
  ])("%s is well", (_, document, headline) => {
    expect(healthOf(document)).toMatchObject({ verdict: "well", headline });
  });

  test.each([
    [
      "a node that is not ready",
      primary({ isReady: false, unready: { code: "storage_failed", message: "the disk is full" } }),
      "error",
      "storage_failed",
      "The node is not ready: the disk is full",
    ],
    [
      "an engine that hangs",
      primary({ isEngineAnswering: false, asOfMs: NOW_MS - 8000 }),
      "error",
      "engine_not_answering",
      "The engine thread last answered 8 s ago; what follows is as of then",
    ],
    [
      "an old word of the engine, though it is said to answer",
      primary({ asOfMs: NOW_MS - 4000 }),
      "error",
      "engine_not_answering",
      "The engine thread last answered 4 s ago; what follows is as of then",
    ],
    [
      "capture that is held up",
      primary({
        lastError: {
          code: "read_only",
          message: "app.db cannot be written",
          hint: null,
          timeMs: NOW_MS - 3000,
        },
      }),
      "error",
      "read_only",
      "Capture is held up: app.db cannot be written (3 s ago)",
    ],
    [
      "a replica whose source is away",
      replica({
        receiver: { failures: 3, lastContactMs: NOW_MS - 20_000 },
        lastError: {
          code: "unreachable",
          message: "it cannot be reached: ECONNREFUSED",
          hint: null,
          timeMs: NOW_MS,
        },
      }),
      "error",
      "unreachable",
      "The source answered last 20 s ago: it cannot be reached: ECONNREFUSED",
    ],
    [
      "a replica whose file somebody wrote to",
      replica({ applier: { blockedBy: { code: "foreign_write", message: "edge.db was written to" } } }),
      "error",
      "foreign_write",
      "Nothing is applied here: edge.db was written to",
    ],
    [
      "a replica that is late",
      replica({ lag: { seconds: 90 }, receiver: { failures: 0 } }),
      "warning",
      "late",
      "This replica is 1 min 30 s behind",
    ],
    [
      "a replica that will be lost",
      primary({ replicas: [well, endangered] }),
      "error",
      "replica_endangered",
      "Replica slow will be lost in 1.5 GiB of log, about 40 min at the present rate",
    ],
    [
      "a lost replica",
      primary({ replicas: [well, lost] }),
      "error",
      "replica_lost",
      "Replica gone lost its place in the log 4 min ago",
    ],
    [
      "an inactive replica",
      primary({ replicas: [inactive] }),
      "warning",
      "replica_inactive",
      "Replica asleep has not asked for 10 min; its log is held for another 1 h",
    ],
    [
      "a late replica",
      primary({ replicas: [late] }),
      "warning",
      "replica_late",
      "Replica late is 1 min 15 s behind",
    ],
    [
      "a full disk",
      primary({ log: log({ diskFreeBytes: GIB }) }),
      "error",
      "disk_low",
      "The disk of the log has 1 GiB left of 100 GiB",
    ],
    [
      "a WAL that only grows",
      primary({ wal: { sizeBytes: GIB, softLimitBytes: 1 << 20 } }),
      "warning",
      "wal_large",
      "The SQLite WAL has grown to 1 GiB",
    ],
    [
      "a reader that stays at an old state",
      primary({
        wal: { sizeBytes: 40 << 20, softLimitBytes: 1 << 20, heldUpSinceMs: NOW_MS - 180 * MINUTE_MS },
      }),
      "warning",
      "checkpoint_held_up",
      "The SQLite WAL has grown to 40 MiB: a reader of an old state holds it up, for 3 h now",
    ],
    [
      "a log that cannot be cut",
      primary({
        upkeepTroubles: [
          {
            task: "retention",
            code: "storage_failed",
            message: "cannot remove 1.log: EROFS",
            hint: null,
            timeMs: NOW_MS,
            sinceMs: NOW_MS - 4 * MINUTE_MS,
          },
        ],
      }),
      "warning",
      "storage_failed",
      "Log that nobody needs cannot be removed: cannot remove 1.log: EROFS (for 4 min now)",
    ],
    [
      "snapshots that are not renewed",
      primary({
        log: log({}),
        snapshots: [
          { generation: 2, txid: 5, createdMs: NOW_MS - 49 * 60 * MINUTE_MS },
          { generation: 1, txid: 9, createdMs: NOW_MS - 90 * 60 * MINUTE_MS },
        ],
      }),
      "warning",
      "snapshot_old",
      "The newest snapshot is 2 d 1 h old",
    ],
  ])("%s is told with a way out", (_, document, verdict, code, headline) => {
    const health = healthOf(document);
    expect({ verdict: health.verdict, code: health.findings[0]?.code, headline: health.headline }).toEqual({
      verdict,
      code,
      headline,
    });
    expect(health.findings[0]?.wayOut).toMatch(/^[A-Z].*\.$/);
  });

  test("a node that starts is one finding, not two", () => {
    const starting = primary({
      isReady: false,
      isEngineAnswering: false,
      unready: { code: "not_ready", message: "the node is starting" },
    });
    expect(healthOf(starting).findings).toHaveLength(1);
  });

  test("an old snapshot of a database that nobody has changed since is as good as new", () => {
    const snapshots = [{ generation: 2, txid: 9, createdMs: NOW_MS - 90 * 60 * MINUTE_MS }];
    expect(healthOf(primary({ log: log({}), snapshots })).verdict).toBe("well");
  });

  test("the worst is the headline, the rest is counted; those with the same trouble are one finding", () => {
    const many = Array.from({ length: 37 }, (_, index) => ({ ...inactive, id: `edge-${index + 10}` }));
    const { headline, findings } = healthOf(primary({ replicas: [well, ...many, late, endangered] }));
    expect(headline).toBe(
      "Replica slow will be lost in 1.5 GiB of log, about 40 min at the present rate, and 2 more",
    );
    expect(findings[1]).toMatchObject({
      code: "replica_inactive",
      text: "37 replicas (edge-10, edge-11, edge-12 and 34 more) have not asked for a while; their log is held for now",
    });
    expect(findings[1]?.replicas).toHaveLength(37);
  });

  test("what a node of another version does not say is no finding", () => {
    expect(healthOf(replica({ receiver: {}, applier: {}, lag: {}, lastError: null })).verdict).toBe("well");
  });
});

test("replicas, the worst first; one of which nothing is known comes before those that are well, and they stand by id", () => {
  const unknown = { ...well, id: "unknown", lagSeconds: null, lagBytes: null };
  const behind = { ...well, id: "behind", lagSeconds: 2 };
  const asGood = { ...well, id: "edge-0", lagSeconds: 0.003, lagBytes: 10 };
  const better = { ...well, id: "edge-2", lagSeconds: 0.9, lagBytes: 9999 };
  const sorted = [better, asGood, well, behind, unknown, late, inactive, lost, endangered].toSorted(
    compareReplicas,
  );
  expect(sorted.map(({ id }) => id)).toEqual([
    "gone",
    "slow",
    "asleep",
    "late",
    "unknown",
    "behind",
    "edge-0",
    "edge-1",
    "edge-2",
  ]);
});
