import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { commands } from "../src/commands.ts";
import type { ReplicaStatus, SegmentStatus } from "../shared/status.ts";
import type { VerificationStatus } from "../shared/verification/verification-status.ts";
import { Transcript } from "./harness/golden.ts";
import { primaryStatus, replicaStatus } from "./harness/status-documents.ts";
import { NODE, OTHER_NODE, problem, serveStub, withStatus } from "./harness/stub-node.ts";

/*
 * What the commands that ask a node print, for each kind of answer: table, JSON, error. The stories are golden files.
 */

const network = setupServer();
beforeAll(() => network.listen({ onUnhandledFrame: "error" }));
afterEach(() => network.resetHandlers());
afterAll(() => network.close());

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const HOUR_MS = 3_600_000;
const primary = primaryStatus() as {
  nowMs: number;
  log: object;
  wal: object;
  replicas: readonly [ReplicaStatus, ReplicaStatus];
  snapshots: readonly [object, object];
};
const { nowMs } = primary;
const [streaming, inactive] = primary.replicas;

const endangered: ReplicaStatus = {
  ...streaming,
  id: "edge-2",
  address: "10.0.0.8",
  state: "catching_up",
  received: { segment: 1, offset: 80 },
  appliedTxid: 41,
  lagTransactions: 1_163,
  lagBytes: 9 * GIB,
  lagSeconds: 2_460,
  freshAsOfMs: nowMs - 2_460_000,
  retention: "endangered",
  bytesUntilLost: 1_288_490_189,
  secondsUntilLost: 2_400,
};
const lost: ReplicaStatus = {
  ...inactive,
  id: "edge-3",
  address: "2001:db8::17",
  state: "lost",
  retention: "lost",
  lagTransactions: null,
  lagBytes: null,
  bytesUntilLost: null,
  secondsUntilLost: null,
  lostAtMs: nowMs - 180_000,
  timesLost: 1,
};
const newcomer: ReplicaStatus = {
  ...streaming,
  id: "newcomer",
  sent: null,
  received: { segment: 3, offset: 80 },
  appliedTxid: null,
  lagTransactions: null,
  lagBytes: 5_114_992,
  lagSeconds: null,
  freshAsOfMs: null,
  state: "catching_up",
};
const hostile: ReplicaStatus = { ...streaming, id: "edge\u001B[2J\u202E1", address: "x\ny" };

const storageError = {
  code: "storage_failed",
  message: "no space left on the disk",
  hint: "Make room; capture goes on by itself.",
  timeMs: nowMs - 12_000,
};
const unreachable = {
  code: "unreachable",
  message: "http://10.0.0.1:4800 cannot be reached: ECONNREFUSED",
  hint: "Is a node running there?",
  timeMs: nowMs - 500,
};

const statuses: Readonly<Record<string, readonly [story: string, document: object]>> = {
  "a-primary": ["A primary with a replica that streams and one that is away.", primary],
  "a-primary-that-is-well": [
    "A primary with all well.",
    primaryStatus({ replicas: [streaming], replicasTotal: 1 }),
  ],
  "a-primary-in-trouble": [
    "A primary whose disk is full: what is wrong comes first, with what to do.",
    primaryStatus({
      isReady: false,
      unready: { code: "storage_failed", message: "no space left on the disk" },
      lastError: storageError,
      errors: [{ ...storageError, timeMs: nowMs - 72_000 }, storageError],
      log: { ...primary.log, diskFreeBytes: 4096 * 3, bytesPerSecond: null, commitsPerSecond: null },
      snapshots: [],
      snapshotSinceMs: nowMs - 4_000,
      replicas: [streaming, endangered, lost],
      replicasTotal: 3,
    }),
  ],
  "an-engine-that-does-not-answer": [
    "A primary whose engine is held up: its server answers with the engine's last word.",
    primaryStatus({ isEngineAnswering: false, asOfMs: nowMs - 95_000, replicas: [], replicasTotal: 0 }),
  ],
  "a-node-at-its-start": [
    "A node whose engine has not said a word yet.",
    {
      protocol: 1,
      version: "0.1.0",
      role: "primary",
      isReady: false,
      unready: { code: "not_ready", message: "the node is starting" },
      startedMs: nowMs - 400,
      nowMs,
      isEngineAnswering: false,
      log: null,
      snapshots: [],
      replicas: [],
      replicasTotal: 0,
      errors: [],
      waitingRequests: 0,
      downloads: 0,
    },
  ],
  "a-replica": ["A replica that follows.", replicaStatus()],
  "a-replica-that-had-trouble-once": [
    "A replica that lost its primary some minutes ago, and has resynced since.",
    replicaStatus({
      lastError: { ...unreachable, timeMs: nowMs - 900_000 },
      errors: [{ ...unreachable, timeMs: nowMs - 900_000 }],
      resyncs: 2,
      lastResync: { pages: 1_204, fetchedBytes: 4_931_584, timeMs: nowMs - 600_000 },
    }),
  ],
  "a-replica-that-cannot-reach-its-primary": [
    "A replica whose primary is gone: its lag grows, and it says when it tries again.",
    replicaStatus({
      state: "pausing",
      receiver: {
        state: "pausing-receive",
        cursor: { segment: 3, offset: 5_110_816 },
        primaryTxid: 1204,
        lastContactMs: nowMs - 3 * HOUR_MS,
        failures: 7,
        retries: 9,
        nextTryMs: nowMs + 1_040,
        receivedBytes: 139_332_720,
      },
      lag: { transactions: null, bytes: null, seconds: 10_800, freshAsOfMs: nowMs - 10_800_000 },
      lastError: unreachable,
      errors: [unreachable],
    }),
  ],
  "a-replica-that-is-blocked": [
    "A replica whose file somebody else has written.",
    replicaStatus({
      state: "blocked",
      applier: {
        state: "blocked",
        backlogBytes: 8 * MIB,
        blockedBy: { code: "foreign_write", message: "another process has written to /srv/edge.db" },
      },
    }),
  ],
  "a-replica-without-a-database": [
    "A replica that fetches its first copy.",
    replicaStatus({
      state: "bootstrapping",
      isReady: false,
      unready: { code: "not_ready", message: "the replica has no database yet" },
      log: null,
      database: {
        file: "/srv/edge.db",
        isReadable: false,
        pageSizeBytes: null,
        pageCount: null,
        sizeBytes: null,
        checksum: null,
      },
      receiver: {
        state: "bootstrapping",
        cursor: null,
        primaryTxid: null,
        lastContactMs: nowMs - 20,
        failures: 0,
        retries: 0,
        nextTryMs: null,
        receivedBytes: 0,
      },
      applier: { state: "idle", backlogBytes: 0, blockedBy: null },
      wal: null,
      position: null,
      lag: { transactions: null, bytes: null, seconds: null, freshAsOfMs: null },
      progress: { doneBytes: 734_003_200, totalBytes: 1_073_741_824 },
    }),
  ],
  "a-replica-that-feeds-others": [
    "A replica in the middle of a chain.",
    replicaStatus({
      replicas: [{ ...streaming, id: "edge-1-1" }],
      replicasTotal: 1,
      snapshots: [primary.snapshots[1]],
    }),
  ],
  "a-node-that-says-odd-things": [
    "What could play with a terminal is made visible, and what this build does not know is left to --json.",
    primaryStatus({
      version: "9\u001B[31m",
      replicas: [hostile],
      replicasTotal: 1,
      errors: [{ ...storageError, message: "a\u001B[2Jb\u2028c", code: "odd\u0007" }],
      notes: ["a\u001B[2J", 7],
    }),
  ],
};

test.each(Object.entries(statuses))("status of %s", async (name, [story, document]) => {
  serveStub(network, { "GET /status": document });
  const transcript = new Transcript(story);
  await transcript.run(commands, ["status", NODE]);
  transcript.expectGolden(`status/${name}`);
});

test("status as JSON is the document as it was served, with the same exit code", async () => {
  const document = primaryStatus({ later: { than: ["this", "build"] } });
  serveStub(network, { "GET /status": document });
  const transcript = new Transcript("A script reads the document as it was served.");
  const { stdout } = await transcript.run(commands, ["status", NODE, "--json"]);
  expect(JSON.parse(stdout)).toEqual(document);
  transcript.expectGolden("status/as-json");
});

test("what counts as too far behind can be said", async () => {
  const late = { ...streaming, lagTransactions: 3, lagBytes: 12_000, lagSeconds: 20 };
  serveStub(network, {
    "GET /status": primaryStatus({ replicas: [late], replicasTotal: 1 }),
    "GET /admin/replicas": { nowMs, replicas: [late], replicasTotal: 1 },
  });
  const transcript = new Transcript(
    "Twenty seconds behind is well by default, and not where ten are the limit.",
  );
  const { code } = await transcript.run(commands, ["replicas", NODE]);
  expect(code).toBe(0);
  await transcript.run(commands, ["replicas", NODE, "--max-lag-seconds", "10"]);
  const { code: late10 } = await transcript.run(commands, ["status", NODE, "--max-lag-seconds", "10"]);
  expect(late10).toBe(3);
  transcript.expectGolden("replicas/a-limit-of-ones-own");
});

test("replicas, the worst first", async () => {
  const replicas = [streaming, newcomer, inactive, lost, endangered, hostile];
  serveStub(network, { "GET /admin/replicas": { nowMs, replicas, replicasTotal: 306 } });
  const transcript = new Transcript("Replicas of each kind, the worst first; of very many the worst alone.");
  await transcript.run(commands, ["replicas", NODE]);
  await transcript.run(commands, ["replicas", NODE, "--json"]);
  transcript.expectGolden("replicas/of-each-kind");
});

test("replicas on narrow terminals", async () => {
  const replicas = [streaming, inactive, endangered];
  serveStub(network, { "GET /admin/replicas": { nowMs, replicas, replicasTotal: 3 } });
  const transcript = new Transcript("Where there is no room, the less important columns go.");
  for (const columns of [160, 100, 80, 60]) {
    const { stdout } = await transcript.run(commands, ["replicas", NODE], {}, columns);
    const widest = Math.max(...stdout.split("\n").map((line) => line.length));
    expect(widest).toBeLessThanOrEqual(columns);
  }
  transcript.expectGolden("replicas/on-narrow-terminals");
});

test("no replicas", async () => {
  serveStub(network, { "GET /admin/replicas": { nowMs, replicas: [], replicasTotal: 0 } });
  const transcript = new Transcript("Nobody has asked yet.");
  await transcript.run(commands, ["replicas", NODE]);
  transcript.expectGolden("replicas/none");
});

const segments: readonly SegmentStatus[] = [
  {
    segment: 1,
    sizeBytes: 64 * MIB,
    isSealed: true,
    modifiedMs: nowMs - HOUR_MS,
    keptFor: ["replica edge-2", "least size"],
  },
  {
    segment: 2,
    sizeBytes: 64 * MIB,
    isSealed: true,
    modifiedMs: nowMs - 90_000,
    keptFor: ["replica edge-2", "replica re\u001B[1mporting", "snapshot 2", "recovery", "least size"],
  },
  { segment: 3, sizeBytes: 5_115_072, isSealed: false, modifiedMs: nowMs - 529, keptFor: [] },
];

test("wal of a primary", async () => {
  serveStub(network, { "GET /admin/wal": { nowMs, log: primary.log, wal: primary.wal, segments } });
  const transcript = new Transcript("A primary's log, file by file and what each is kept for.");
  await transcript.run(commands, ["wal", NODE]);
  await transcript.run(commands, ["wal", NODE, "--json"]);
  transcript.expectGolden("wal/of-a-primary");
});

test("wal of a replica without a log", async () => {
  serveStub(network, { "GET /admin/wal": { nowMs, log: null, wal: null, segments: [] } });
  const transcript = new Transcript("A replica that has no log yet.");
  await transcript.run(commands, ["wal", NODE]);
  transcript.expectGolden("wal/none");
});

test("snapshots", async () => {
  const document = { nowMs, snapshots: primary.snapshots, snapshotSinceMs: nowMs - 3_100 };
  serveStub(network, {
    "GET /admin/snapshots": [document, document, { ...document, snapshots: [], snapshotSinceMs: null }],
  });
  const transcript = new Transcript("The snapshots there are, and that another is being taken.");
  await transcript.run(commands, ["snapshots", NODE]);
  await transcript.run(commands, ["snapshots", NODE, "--json"]);
  transcript.say("On a new primary there is none yet.");
  await transcript.run(commands, ["snapshots", NODE]);
  transcript.expectGolden("snapshots/some-and-none");
});

const taken = { ...primary.snapshots[1], generation: 3, txid: 1204, logBytesAfter: 0 };
const before = { nowMs, snapshots: primary.snapshots, snapshotSinceMs: null };
const TIME: readonly [RegExp, string] = [/taken in [\d.]+ m?s/g, "taken in TIME"];

test("a snapshot that is soon there", async () => {
  serveStub(network, {
    "GET /admin/snapshots": before,
    "POST /admin/snapshots": withStatus(201, { snapshot: taken }),
  });
  const transcript = new Transcript("A snapshot is taken.", [TIME]);
  await transcript.run(commands, ["snapshot", NODE]);
  await transcript.run(commands, ["snapshot", NODE, "--json"]);
  transcript.expectGolden("snapshot/taken");
});

test("a snapshot that takes its time is waited for", async () => {
  const taking = { ...before, snapshotSinceMs: nowMs - 2_000 };
  serveStub(network, {
    "GET /admin/snapshots": [before, taking, { ...before, snapshots: [...primary.snapshots, taken] }],
    "POST /admin/snapshots": withStatus(202, { snapshotSinceMs: nowMs - 2_000 }),
  });
  const transcript = new Transcript("A snapshot of a large database takes its time.", [TIME]);
  await transcript.run(commands, ["snapshot", NODE]);
  transcript.expectGolden("snapshot/taken-slowly");
});

test("a snapshot that fails", async () => {
  serveStub(network, {
    "GET /admin/snapshots": before,
    "POST /admin/snapshots": withStatus(202, { snapshotSinceMs: nowMs }),
    "GET /status": primaryStatus({ errors: [{ ...storageError, timeMs: nowMs + 1_000 }] }),
  });
  const transcript = new Transcript(
    "A snapshot fails while it is waited for: the node's own reason is given.",
  );
  await transcript.run(commands, ["snapshot", NODE]);
  serveStub(network, {
    "POST /admin/snapshots": problem(503, "storage_failed", "no space left on the disk", {
      hint: "Make room.",
    }),
  });
  transcript.say("It fails at once.");
  await transcript.run(commands, ["snapshot", NODE]);
  await transcript.run(commands, ["snapshot", NODE, "--json"]);
  transcript.expectGolden("snapshot/failed");
});

test("checkpoint", async () => {
  serveStub(network, {
    "POST /admin/checkpoint": [
      { isComplete: true, walFrames: 0, copiedFrames: 0 },
      { isComplete: true, walFrames: 2_804, copiedFrames: 2_804 },
      { isComplete: false, walFrames: 2_804, copiedFrames: 1_204 },
      { isComplete: false, walFrames: 2_804, copiedFrames: 1_204 },
      problem(503, "database_busy", "the database is locked by another process", { retryable: true }),
    ],
  });
  const transcript = new Transcript("A checkpoint is complete, then held up by a reader, then refused.");
  await transcript.run(commands, ["checkpoint", NODE]);
  await transcript.run(commands, ["checkpoint", NODE]);
  await transcript.run(commands, ["checkpoint", NODE]);
  await transcript.run(commands, ["checkpoint", NODE, "--json"]);
  await transcript.run(commands, ["checkpoint", NODE]);
  transcript.expectGolden("checkpoint/each-outcome");
});

test("forget", async () => {
  let asked = "";
  serveStub(network, {
    "DELETE /admin/replicas/:id": [
      (info) => {
        asked = new URL(info.request.url).pathname;
        return withStatus(200, { forgotten: inactive })(info);
      },
      { forgotten: streaming },
      { forgotten: inactive },
    ],
  });
  const transcript = new Transcript("A replica that is away is forgotten; one that is there comes back.");
  await transcript.run(commands, ["forget", NODE, "re/por ting"]);
  expect(asked).toBe("/admin/replicas/re%2Fpor%20ting");
  await transcript.run(commands, ["forget", NODE, "edge-1"]);
  await transcript.run(commands, ["forget", NODE, "reporting", "--json"]);
  transcript.expectGolden("forget/a-replica");
});

test("forget of a replica that nobody knows", async () => {
  const many = Array.from({ length: 7 }, (_, index) => ({ ...streaming, id: `edge-${index + 1}` }));
  serveStub(network, {
    "DELETE /admin/replicas/:id": problem(404, "replica_unknown", 'no replica "edge-x" is known', {
      hint: "GET /admin/replicas lists them.",
    }),
    "GET /admin/replicas": [
      { nowMs, replicas: [streaming, inactive], replicasTotal: 2 },
      { nowMs, replicas: many, replicasTotal: 7 },
      { nowMs, replicas: [], replicasTotal: 0 },
      problem(503, "not_ready", "stopping"),
    ],
  });
  const transcript = new Transcript("An unknown id: the nearest is named, or which there are.");
  await transcript.run(commands, ["forget", NODE, "edge1"]);
  await transcript.run(commands, ["forget", NODE, "warehouse"]);
  await transcript.run(commands, ["forget", NODE, "warehouse"]);
  await transcript.run(commands, ["forget", NODE, "warehouse"]);
  await transcript.run(commands, ["forget", NODE, "warehouse", "--json"]);
  transcript.expectGolden("forget/an-unknown-replica");
});

const sound: VerificationStatus = {
  state: "identical",
  txid: 1204,
  expectedChecksum: "d565dd66690081ef",
  foundChecksum: "d565dd66690081ef",
  pagesDone: 262_144,
  pagesTotal: 262_144,
  differentPages: [],
  logBytesDone: 12_000_000,
  logBytesTotal: 12_000_000,
  logDamage: [],
  startedMs: nowMs - 4_000,
  endedMs: nowMs,
  error: null,
};
const running: VerificationStatus = { ...sound, state: "running", pagesDone: 12_000, endedMs: null };

test("verify of two nodes", async () => {
  serveStub(network, { "GET /status": primary });
  const same = replicaStatus({
    position: {
      txid: 1204,
      cursor: { segment: 3, offset: 80 },
      databaseChecksum: "d565dd66690081ef",
      commitTimeMs: 1,
    },
  });
  const other = replicaStatus({
    position: {
      txid: 1204,
      cursor: { segment: 3, offset: 80 },
      databaseChecksum: "0000dd66690081ef",
      commitTimeMs: 1,
    },
  });
  serveStub(network, { "GET /status": [same, same, other] }, OTHER_NODE);
  const transcript = new Transcript("Two nodes at one txid: identical, then not.");
  await transcript.run(commands, ["verify", NODE, OTHER_NODE]);
  await transcript.run(commands, ["verify", NODE, OTHER_NODE, "--json"]);
  await transcript.run(commands, ["verify", NODE, OTHER_NODE]);
  transcript.expectGolden("verify/two-nodes");
});

test("verify --deep", async () => {
  const at1204 = {
    txid: 1204,
    cursor: { segment: 3, offset: 80 },
    databaseChecksum: "d565dd66690081ef",
    commitTimeMs: 1,
  };
  serveStub(network, {
    "GET /status": primary,
    "POST /admin/verify": withStatus(202, running),
    "GET /admin/verify": sound,
  });
  serveStub(
    network,
    {
      "GET /status": replicaStatus({ position: at1204 }),
      "POST /admin/verify": withStatus(202, running),
      "GET /admin/verify": [
        { ...sound, txid: 1203 },
        {
          ...sound,
          state: "different",
          foundChecksum: "0000dd66690081ef",
          differentPages: [17, 18, 4_096, ...Array.from({ length: 20 }, (_, index) => 5_000 + index)],
        },
        { ...sound, state: "different", foundChecksum: "0000dd66690081ef", differentPages: [17] },
        {
          ...sound,
          state: "different",
          logDamage: [
            { segment: 3, offset: 80, what: "the file is missing", firstTxid: null, lastTxid: 1100 },
            { segment: 7, offset: 41_232, what: "checksum", firstTxid: 1180, lastTxid: 1203 },
          ],
        },
        {
          ...sound,
          state: "failed",
          error: {
            code: "storage_failed",
            message: "read of /srv/edge.db: EIO",
            hint: "Replace the disk.",
            timeMs: nowMs,
          },
        },
      ],
    },
    OTHER_NODE,
  );
  const transcript = new Transcript(
    "Each node reads every page from its disk again; then the two are compared.",
  );
  await transcript.run(commands, ["verify", NODE, OTHER_NODE, "--deep"]);
  transcript.say("A disk of the second has changed some pages behind everybody's back.");
  await transcript.run(commands, ["verify", NODE, OTHER_NODE, "--deep"]);
  await transcript.run(commands, ["verify", NODE, OTHER_NODE, "--deep", "--json"]);
  transcript.say("Its pages are sound, and its log is not.");
  await transcript.run(commands, ["verify", NODE, OTHER_NODE, "--deep"]);
  transcript.say("Now it cannot be read at all.");
  await transcript.run(commands, ["verify", NODE, OTHER_NODE, "--deep"]);
  transcript.expectGolden("verify/deep");
});

test("a node that does not serve it, or does not want to", async () => {
  const notFound = problem(404, "not_found", "nothing is served at that path");
  serveStub(network, {
    "GET /admin/replicas": [
      notFound,
      problem(403, "forbidden", "the request comes from a page of another site"),
    ],
    "POST /admin/verify": notFound,
    "POST /admin/checkpoint": problem(500, "internal", "something odd"),
  });
  const transcript = new Transcript("Refusals: an older version, a request that is not permitted, a bug.");
  await transcript.run(commands, ["replicas", NODE]);
  await transcript.run(commands, ["verify", NODE, NODE, "--deep"]);
  await transcript.run(commands, ["replicas", NODE]);
  await transcript.run(commands, ["checkpoint", NODE]);
  transcript.say("A password in an address is nobody's business.");
  const { stderr } = await transcript.run(commands, ["checkpoint", NODE.replace("//", "//me:hidden@")]);
  expect(stderr).not.toContain("hidden");
  transcript.expectGolden("refusals");
});

test("wrong usage", async () => {
  const transcript = new Transcript("Wrong usage is refused before anybody is asked.");
  await transcript.run(commands, ["replicas"]);
  await transcript.run(commands, ["forget", NODE]);
  await transcript.run(commands, ["status", "node.test:4800"]);
  await transcript.run(commands, ["status", NODE, "--watch", "soon"]);
  await transcript.run(commands, ["status", NODE, "--watch", "0"]);
  await transcript.run(commands, ["replicas", NODE, "--max-lag-seconds", "soon"]);
  await transcript.run(commands, ["wal", NODE], { TAILRACE_TIMEOUT_MS: "-1" });
  transcript.expectGolden("wrong-usage");
});
