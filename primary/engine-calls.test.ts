import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { RpcClient } from "../shared/rpc.ts";
import type { EngineEvents, EngineMethods, ServeReport } from "../shared/serve/engine.ts";
import type { PrimaryEngineStatus } from "../shared/status.ts";
import type { Cursor } from "../shared/units.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";

/* What a serving thread asks of a primary's engine, and tells it. */

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";
/** Half a MiB of log, and a database that stays as small as that. */
const CHURN =
  "for i in range(60): c.execute('insert or replace into t values(?,?)', (i % 10, os.urandom(5000)))";
const SMALL = { segmentSizeBytes: 65_536, keepLogBytes: 200_000, snapshotAfterBytes: 1 << 30 };
const NOTHING: ServeReport = { sightings: [], heldGenerations: [] };

type Server = RpcClient<EngineMethods, EngineEvents>;

async function started(
  options: ConstructorParameters<typeof CapturedDatabase>[0] = SMALL,
): Promise<CapturedDatabase> {
  const database = new CapturedDatabase(options);
  database.python(SETUP);
  await database.start();
  return database;
}

async function serverOf(database: CapturedDatabase): Promise<Server> {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  await database.capture.connectServe(port2);
  return new RpcClient(port1);
}

async function statusOf(server: Server, report: ServeReport = NOTHING): Promise<PrimaryEngineStatus> {
  return (await server.call("status", report)) as PrimaryEngineStatus;
}

function sighting(id: string, received: Cursor, isAsking: boolean, appliedTxid: number): ServeReport {
  const seen = { id, address: "127.0.0.1", received, sent: null, appliedTxid, isAsking };
  // Long enough ago for the last word of a replica not to be waited for.
  return { sightings: [{ ...seen, lastSeenMs: Date.now() - 5000 }], heldGenerations: [] };
}

/** A replica that has asked twice, and has all there is. */
async function follows(server: Server, id: string): Promise<Cursor> {
  const { log } = await statusOf(server);
  const before = { segment: log.end.segment, offset: log.end.offset - 1 };
  await server.call("report", sighting(id, before, true, log.headTxid));
  await expect
    .poll(async () => {
      const status = await statusOf(server, sighting(id, log.end, true, log.headTxid));
      return status.replicas.find((replica) => replica.id === id)?.received;
    })
    .toEqual(log.end);
  return log.end;
}

const segments = ({ dataDir }: CapturedDatabase): number[] =>
  readdirSync(join(dataDir, "log"))
    .map((name) => Number.parseInt(name, 16))
    .toSorted((a, b) => a - b);

const generations = ({ dataDir }: CapturedDatabase): number[] =>
  readdirSync(join(dataDir, "snapshots"))
    .filter((name) => name.endsWith(".json"))
    .map((name) => Number.parseInt(name, 10))
    .toSorted((a, b) => a - b);

/** Nothing but replicas holds the log any more. */
async function renew(database: CapturedDatabase): Promise<void> {
  await database.capture.snapshot();
  await database.capture.snapshot();
  await database.capture.checkpoint();
}

test("a replica that is away while the primary restarts is known, its log is held, and its lag goes on", async () => {
  const database = await started();
  let server = await serverOf(database);
  const place = await follows(server, "edge-1");
  await follows(server, "edge-2");
  const { log } = await statusOf(server);
  await server.call("report", sighting("edge-1", place, false, log.headTxid));
  database.python(CHURN);
  await database.capture.durable();
  const [before] = (await statusOf(server)).replicas;
  expect(before).toMatchObject({ id: "edge-1", lagTransactions: 60 });
  expect(before!.lagBytes).toBeGreaterThan(300_000);

  await database.stop();
  expect(existsSync(join(database.dataDir, "replicas.json"))).toBe(true);
  await database.start();
  server = await serverOf(database);
  database.python(CHURN);
  await renew(database);
  expect(segments(database)[0]).toBeLessThanOrEqual(place.segment);
  await expect
    .poll(async () => (await statusOf(server)).replicas.map(({ id, retention }) => `${id} ${retention}`))
    .toEqual(["edge-1 extended", "edge-2 extended"]);
  const [after] = (await statusOf(server)).replicas;
  expect(after).toMatchObject({ received: place, timesLost: 0, lagTransactions: 120 });
  expect(after!.lagSeconds).toBeGreaterThanOrEqual(before!.lagSeconds!);
  expect(after!.firstSeenMs).toBe(before!.firstSeenMs);

  // Forgotten, both of them, they hold nothing.
  expect((await server.call("segments")).find(({ segment }) => segment === place.segment)!.keptFor).toEqual(
    expect.arrayContaining(["replica edge-1", "replica edge-2"]),
  );
  expect(await server.call("forget", "edge-1")).toMatchObject({ id: "edge-1" });
  expect(await database.capture.forget("edge-2")).toMatchObject({ id: "edge-2" });
  await expect(server.call("forget", "edge-1")).rejects.toMatchObject({ code: "replica_unknown" });
  await expect.poll(() => segments(database)[0], { timeout: 10_000 }).toBeGreaterThan(place.segment);
});

test("a generation that is being downloaded stays, with the log after it, until that has ended", async () => {
  const database = await started();
  const server = await serverOf(database);
  const first = await server.call("snapshot");
  expect(first.generation).toBe(1);
  await server.call("report", { sightings: [], heldGenerations: [1] });
  database.python(CHURN);
  await renew(database);
  await renew(database);
  const { snapshots, log } = await statusOf(server, { sightings: [], heldGenerations: [1] });
  expect(snapshots).toMatchObject([
    { generation: 1, downloads: 1, cursor: first.cursor },
    { generation: 4, downloads: 0 },
    { generation: 5, downloads: 0, logBytesAfter: 0 },
  ]);
  expect(snapshots[0]!.logBytesAfter).toBeGreaterThan(300_000);
  expect(log.start.segment).toBe(1);
  await server.call("report", NOTHING);
  await expect.poll(() => generations(database), { timeout: 10_000 }).toEqual([4, 5]);
  await expect.poll(() => segments(database)[0], { timeout: 10_000 }).toBeGreaterThan(1);
});

test("limits are changed while it runs: generations kept, the most of the log, the WAL's soft limit", async () => {
  const database = await started();
  const server = await serverOf(database);
  const notices: string[] = [];
  database.capture.on("notice", ({ name }) => notices.push(name));
  const place = await follows(server, "edge-1");
  await server.call("report", sighting("edge-1", place, false, 0));
  await database.capture.configure({ keepSnapshots: 3, walSoftLimitBytes: 70_000 });
  for (let count = 0; count < 4; count++) await server.call("takeSnapshot");
  expect(generations(database)).toEqual([2, 3, 4]);
  database.python(CHURN);
  await renew(database);
  let status = await statusOf(server);
  expect(status.log).toMatchObject({
    keepBytes: 200_000,
    maxBytes: 10 * 2 ** 30,
    holdInactiveMs: 86_400_000,
  });
  expect(status.wal.softLimitBytes).toBe(70_000);

  // The replica is past the new limit, from one moment to the next.
  await database.capture.configure({ maxLogBytes: 300_000 });
  await expect
    .poll(async () => (status = await statusOf(server)).replicas[0]?.state, { timeout: 10_000 })
    .toBe("lost");
  expect(status).toMatchObject({ replicasLost: 1, log: { keepBytes: 200_000, maxBytes: 300_000 } });
  await expect.poll(async () => (await statusOf(server)).log.sizeBytes).toBeLessThanOrEqual(300_000);
  expect(notices).toEqual(expect.arrayContaining(["replica_seen", "snapshot_taken", "replica_lost"]));
});

test("what holds the log past its most is renewed: a snapshot is taken, and recovery brought up to date", async () => {
  const database = await started({ ...SMALL, maxLogBytes: 300_000 });
  const server = await serverOf(database);
  for (let round = 0; round < 3; round++) database.python(CHURN);
  await expect
    .poll(async () => (await statusOf(server)).log.sizeBytes, { timeout: 10_000, interval: 50 })
    .toBeLessThanOrEqual(300_000);
  expect((await statusOf(server)).snapshots.length).toBeGreaterThan(0);
});

test("a newcomer never fetches a log that is longer than its snapshot", async () => {
  const database = await started({ ...SMALL, segmentSizeBytes: 1 << 20 });
  const server = await serverOf(database);
  expect((await server.call("snapshot")).generation).toBe(1);
  database.python(CHURN);
  // A short log is no reason for another one.
  expect((await server.call("snapshot")).generation).toBe(1);
  database.python(
    "for i in range(40): c.execute('insert or replace into t values(?,?)', (1, os.urandom(500000)))",
  );
  await database.capture.durable();
  expect((await statusOf(server)).snapshots[0]!.logBytesAfter).toBeGreaterThan(16 << 20);
  const [renewed, same] = await Promise.all([server.call("snapshot"), server.call("takeSnapshot")]);
  expect(renewed.generation).toBe(2);
  expect(same.generation).toBe(2);
});

test("the status has everything that is told of a primary; a question without a report changes nothing", async () => {
  const database = await started();
  const server = await serverOf(database);
  await server.call("report", { sightings: [], heldGenerations: [7] });
  database.python(CHURN);
  await database.capture.durable();
  const status = await statusOf(server);
  const own = await database.status();
  expect(own.log).toMatchObject({ logId: status.log.logId, headTxid: 60, end: status.log.end });
  expect(status).toMatchObject({
    role: "primary",
    database: { isReadable: true, pageSizeBytes: 4096 },
    log: {
      start: { segment: 1, offset: 0 },
      durability: "os",
      keepMs: 0,
      segmentCount: segments(database).length,
    },
    replicas: [],
    errors: [],
    lastError: null,
    snapshotSinceMs: null,
  });
  const { sizeBytes, diskFreeBytes, diskSizeBytes, headTimeMs } = status.log;
  expect(sizeBytes).toBeGreaterThan(300_000);
  expect(diskFreeBytes).toBeGreaterThan(0);
  expect(diskSizeBytes).toBeGreaterThan(diskFreeBytes!);
  expect(Math.abs(Date.now() - headTimeMs!)).toBeLessThan(60_000);
  expect(status.wal.sizeBytes).toBeGreaterThan(0);
  expect(status.database.sizeBytes).toBeGreaterThan(0);

  expect(await server.call("checkpoint")).toMatchObject({ isComplete: true, walFrames: expect.any(Number) });
  expect(await server.call("verification")).toMatchObject({ state: "none" });
  expect(await server.call("startVerification")).toMatchObject({ state: "running" });
  await expect
    .poll(async () => (await server.call("verification")).state, { timeout: 10_000 })
    .toBe("identical");
  const files = await server.call("segments");
  expect(files.map(({ segment }) => segment)).toEqual(segments(database));
  expect(files.at(-1)).toMatchObject({ isSealed: false });
  expect(files.reduce((sum, segment) => sum + segment.sizeBytes, 0)).toBe(sizeBytes);
});
