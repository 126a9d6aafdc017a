import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MessageChannel } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RpcClient } from "../shared/rpc.ts";
import type { EngineEvents, EngineMethods } from "../shared/serve/engine.ts";
import { runServer } from "../shared/serve/server.ts";
import { logStatusSchema, replicaStatusSchema, snapshotStatusSchema } from "../shared/status.ts";
import type { LogStatus, SegmentStatus } from "../shared/status.ts";
import type { VerificationStatus } from "../shared/verification/verification-status.ts";
import { LogPrimary } from "../test/harness/log-primary.ts";
import { startFollowing } from "./follow-thread.ts";
import type { FollowOptions, FollowThread } from "./follow-thread.ts";

/*
 * A primary, a replica of it (the middle), and a replica of that (the leaf), over loopback.
 */
let folder: string;
let primary: LogPrimary;
let middle: FollowThread;
/** Of the middle. */
let url: string;
let stopServing: () => Promise<void> = async () => {};
const opened: FollowThread[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "tailrace-feed-"));
  primary = new LogPrimary(path.join(folder, "primary"));
  await primary.listen();
});

afterEach(async () => {
  for (const replica of opened.splice(0).toReversed()) await replica.close();
  await stopServing();
  stopServing = async () => {};
  await primary.close();
  rmSync(folder, { recursive: true, force: true });
});

const dataDir = (name: string): string => path.join(folder, `${name}.db-tailrace`);

async function follow(
  name: string,
  source: string,
  change: Partial<FollowOptions> = {},
): Promise<FollowThread> {
  const replica = await startFollowing({
    primary: source,
    file: path.join(folder, `${name}.db`),
    dataDir: dataDir(name),
    driverName: "node:sqlite",
    replicaId: name,
    durability: "os",
    onForeignWrite: "stop",
    ...change,
  });
  opened.push(replica);
  return replica;
}

async function close(replica: FollowThread): Promise<void> {
  opened.splice(opened.indexOf(replica), 1);
  await replica.close();
}

/** Starts the middle, and serves it. @returns its engine, as a serving thread has it */
async function startMiddle(
  change: Partial<FollowOptions> = {},
): Promise<RpcClient<EngineMethods, EngineEvents>> {
  middle = await follow("middle", primary.url, change);
  const { port1, port2 } = new MessageChannel();
  const server = await runServer(
    {
      host: "127.0.0.1",
      port: 0,
      logFolder: path.join(dataDir("middle"), "log"),
      enginePort: port2,
      role: "replica",
      version: "1.2.3",
    },
    Date.now,
  );
  url = `http://127.0.0.1:${server.port}`;
  stopServing = async () => {
    await server.close(0);
    port2.close();
  };
  await middle.connectServe(port1);
  const beside = new MessageChannel();
  await middle.connectServe(beside.port1);
  await middle.ready;
  return new RpcClient<EngineMethods, EngineEvents>(beside.port2);
}

/** The middle has all, and serves it. */
async function caughtUp(): Promise<void> {
  await middle.sync();
  await expect.poll(() => middle.status().log?.headTxid, { timeout: 10_000 }).toBe(primary.txid);
}

/** Five segments of log and more, which the middle needs no longer for itself, nor for a snapshot. */
async function goOnWithout(): Promise<void> {
  for (let commit = 0; commit < 6; commit++) primary.insert(250, 4000);
  await caughtUp();
  await middle.snapshot();
  expect(await middle.checkpoint()).toMatchObject({ isComplete: true });
}

describe("a replica that feeds another", () => {
  test("knows it, keeps the log for it while it is away, and lets go of it when told to", async () => {
    await startMiddle({ keepLogBytes: 0 });
    const leaf = await follow("leaf", url);
    await leaf.sync();
    primary.insert(1);
    await leaf.waitFor(primary.txid);
    await expect
      .poll(() => middle.status().replicas, { timeout: 10_000 })
      .toMatchObject([{ id: "leaf", state: "streaming", appliedTxid: primary.txid, lagSeconds: 0 }]);
    expect(() => middle.status().replicas.map((replica) => replicaStatusSchema.parse(replica))).not.toThrow();
    await close(leaf);

    // What is known of it outlasts a restart of the middle, and so does its place.
    const { received } = middle.status().replicas[0]!;
    await stopServing();
    await close(middle);
    const engine = await startMiddle({ keepLogBytes: 0, keepSnapshots: 1 });
    await goOnWithout();
    // It is the leaf alone that holds the first segments.
    const first = async (): Promise<readonly string[] | undefined> =>
      (await engine.call("segments"))[0]?.keptFor;
    await expect.poll(first, { timeout: 10_000 }).toEqual(["replica leaf"]);
    await expect
      .poll(() => middle.status().replicas, { timeout: 10_000 })
      .toMatchObject([{ id: "leaf", received, retention: "extended", lagTransactions: 6 }]);
    const back = await follow("leaf", url);
    await back.waitFor(primary.txid);
    expect(back.status()).toMatchObject({ bootstraps: 0, resyncs: 0, errors: [] });
    await expect.poll(() => middle.status().replicas[0]?.appliedTxid, { timeout: 10_000 }).toBe(primary.txid);
    await close(back);

    await goOnWithout();
    await expect.poll(() => middle.status().replicas[0]?.lagTransactions, { timeout: 10_000 }).toBe(6);
    const { start } = middle.status().log!;
    const forgotten = await fetch(`${url}/admin/replicas/leaf`, { method: "DELETE" });
    expect(await forgotten.json()).toMatchObject({ forgotten: { id: "leaf" } });
    await expect(middle.forget("leaf")).rejects.toMatchObject({ code: "replica_unknown" });
    expect(middle.status().replicas).toEqual([]);
    await expect
      .poll(() => middle.status().log!.start.segment, { timeout: 10_000 })
      .toBeGreaterThan(start.segment);
    expect((await engine.call("segments"))[0]!.segment).toBe(middle.status().log!.start.segment);
  });

  test("gives it up past the limit, which can be set while it runs; it comes back by page difference", async () => {
    await startMiddle({ keepLogBytes: 0, maxLogBytes: null });
    const notices: string[] = [];
    middle.on("notice", ({ name }) => notices.push(name));
    const leaf = await follow("leaf", url);
    await leaf.sync();
    primary.insert(1);
    await leaf.waitFor(primary.txid);
    await expect.poll(() => notices, { timeout: 10_000 }).toContain("replica_seen");
    await close(leaf);
    await goOnWithout();
    await middle.configure({ maxLogBytes: 3 << 20 });
    await expect.poll(() => notices, { timeout: 10_000 }).toContain("replica_lost");
    expect(middle.status()).toMatchObject({
      log: { maxBytes: 3 << 20 },
      replicas: [{ id: "leaf", state: "lost", retention: "lost", timesLost: 1, lagBytes: null }],
    });
    const back = await follow("leaf", url);
    await back.waitFor(primary.txid);
    expect(back.status()).toMatchObject({ bootstraps: 0, resyncs: 1, errors: [{ code: "segment_trimmed" }] });
    await expect.poll(() => notices, { timeout: 10_000 }).toContain("replica_back");
  });

  test("and is behind it lets it wait, so that its readers do not go back", async () => {
    await startMiddle();
    await stopServing();
    await close(middle);
    const leaf = await follow("leaf", primary.url);
    primary.insert(1);
    await leaf.waitFor(primary.txid);
    await close(leaf);
    // The middle has not heard of it.
    await primary.unlisten();
    await startMiddle();
    const waiting = await follow("leaf", url);
    await expect
      .poll(() => waiting.status().lastError, { timeout: 10_000 })
      .toMatchObject({ code: "not_ready", message: expect.stringContaining("has not got to") });
    await primary.listen();
    primary.insert(1);
    await waiting.waitFor(primary.txid);
    expect(waiting.status()).toMatchObject({ bootstraps: 0, resyncs: 0 });
  });

  test("brings itself up to date where it is itself that holds the log past the limit", async () => {
    await startMiddle({ keepLogBytes: 0, maxLogBytes: 2 << 20 });
    for (let commit = 0; commit < 6; commit++) primary.insert(250, 4000);
    await caughtUp();
    expect(middle.status().log!.sizeBytes).toBeGreaterThan(5 << 20);
    // Commits go on, and its SQLite WAL is small: nothing else makes a checkpoint due.
    const size = (): number => {
      primary.insert(1);
      return middle.status().log!.sizeBytes;
    };
    await expect.poll(size, { timeout: 10_000, interval: 200 }).toBeLessThanOrEqual(2 << 20);
  });

  test("follows on when its log cannot be cut; that is shown until it can", async () => {
    await startMiddle();
    const notices: string[] = [];
    middle.on("notice", ({ name }) => notices.push(name));
    await goOnWithout();
    // In place of the first segment stands what cannot be removed like one.
    const first = path.join(dataDir("middle"), "log", "0000000000000001.log");
    rmSync(first);
    mkdirSync(first);
    writeFileSync(path.join(first, "something"), "");
    await middle.configure({ keepLogBytes: 0 });
    const shown = (): unknown => middle.status().upkeepTroubles;
    await expect
      .poll(shown, { timeout: 10_000 })
      .toMatchObject([{ task: "retention", code: "storage_failed" }]);
    primary.insert(1);
    await caughtUp();
    expect(middle.status().errors).toMatchObject([{ code: "storage_failed" }]);
    rmSync(first, { recursive: true });
    await expect.poll(shown, { timeout: 10_000 }).toEqual([]);
    await expect
      .poll(() => notices, { timeout: 10_000 })
      .toEqual(expect.arrayContaining(["upkeep_failed", "upkeep_recovered"]));
  });
});

/** A bit of a page in the log of the middle, on its disk. */
function rot(segment: number): void {
  const file = path.join(dataDir("middle"), "log", `${segment.toString(16).padStart(16, "0")}.log`);
  const bytes = readFileSync(file);
  bytes[3000]! ^= 1;
  writeFileSync(file, bytes);
}

describe("a replica whose copy of the log rots", () => {
  test("tells of it, and drops it up to there; in the segment that still grows, where its folder is removed", async () => {
    const engine = await startMiddle({ keepLogBytes: 1 << 30 });
    const notices: string[] = [];
    middle.on("notice", ({ name }) => notices.push(name));
    for (let commit = 0; commit < 6; commit++) primary.insert(250, 4000);
    await caughtUp();
    const { segment: newest } = middle.status().log!.end;
    const rotten = newest - 1;
    expect(middle.status().log!.start.segment).toBeLessThanOrEqual(rotten);
    const verified = async (): Promise<VerificationStatus> => {
      await engine.call("startVerification");
      await expect
        .poll(async () => (await engine.call("verification")).state, { timeout: 10_000 })
        .not.toBe("running");
      return await engine.call("verification");
    };
    expect(await verified()).toMatchObject({ state: "identical", logDamage: [] });
    rot(rotten);
    expect(await verified()).toMatchObject({
      state: "different",
      differentPages: [],
      logDamage: [{ segment: rotten, offset: 80 }],
    });
    const log = (): LogStatus => logStatusSchema.parse(middle.status().log);
    await expect
      .poll(log, { timeout: 10_000 })
      .toMatchObject({ start: { segment: newest, offset: 0 }, damagedThrough: null });
    expect(notices).toEqual(expect.arrayContaining(["log_damaged", "log_given_up"]));
    expect(middle.status().errors).toMatchObject([{ code: "damaged" }]);
    primary.insert(1);
    await caughtUp();
    rot(newest);
    expect(await verified()).toMatchObject({ state: "different", logDamage: [{ segment: newest }] });
    await expect
      .poll(log, { timeout: 10_000 })
      .toMatchObject({ start: { segment: newest, offset: 0 }, damagedThrough: newest });
    rmSync(path.join(dataDir("middle"), "log"), { recursive: true });
    primary.insert(1);
    await caughtUp();
    await expect.poll(log, { timeout: 10_000 }).toMatchObject({ damagedThrough: null });
    expect(await verified()).toMatchObject({ state: "identical", txid: primary.txid, logDamage: [] });
    expect(middle.status()).toMatchObject({ bootstraps: 1, resyncs: 0 });
  });
});

describe("a replica's snapshots", () => {
  test("are taken for a newcomer, renewed when the log has outgrown them, and few are kept", async () => {
    const engine = await startMiddle({ keepSnapshots: 1 });
    // It reports now and then that nobody downloads anything.
    await stopServing();
    stopServing = async () => {};
    primary.insert(100);
    await caughtUp();
    const first = await engine.call("snapshot");
    expect(await engine.call("snapshot")).toEqual(first);
    const held = { sightings: [], heldGenerations: [first.generation] };
    await engine.call("report", held);
    for (let part = 0; part < 5; part++) primary.insert(1000, 4000);
    await caughtUp();
    // 20 MB of log after a snapshot of a few pages.
    const second = await engine.call("snapshot");
    expect(second).toMatchObject({ generation: first.generation + 1, txid: primary.txid });
    expect(await engine.call("snapshot")).toEqual(second);
    // Somebody still downloads the first one.
    expect(existsSync(first.file)).toBe(true);
    const third = await middle.snapshot();
    expect(middle.status().snapshots.map(({ generation }) => generation)).toEqual([
      first.generation,
      third.generation,
    ]);
    expect(middle.status().snapshots.map((each) => snapshotStatusSchema.parse(each))).toMatchObject([
      { downloads: 1 },
      { downloads: 0, logBytesAfter: 0, databaseChecksum: primary.checksum },
    ]);
    await engine.call("report", { sightings: [], heldGenerations: [] });
    await expect.poll(() => middle.status().snapshots, { timeout: 10_000 }).toHaveLength(1);
    expect(existsSync(first.file)).toBe(false);

    rmSync(path.dirname(third.file), { recursive: true });
    const anew = await engine.call("snapshot");
    expect(anew.generation).toBe(third.generation + 1);
    expect(existsSync(anew.file)).toBe(true);
  });
});

describe("a replica's engine", () => {
  test("answers all that a serving thread may ask", async () => {
    const engine = await startMiddle();
    primary.insert(1000);
    await caughtUp();
    const report = { sightings: [], heldGenerations: [] };
    const status = await engine.call("status", report);
    expect(status).toMatchObject({
      role: "replica",
      database: { checksum: primary.checksum },
      lag: { transactions: 0, bytes: 0, seconds: 0 },
      receiver: { receivedBytes: expect.any(Number) },
    });
    expect(logStatusSchema.parse(status.log)).toMatchObject({
      headTxid: primary.txid,
      durability: "os",
      keepBytes: 64 << 20,
      maxBytes: 1 << 30,
    });
    expect(status.log!.diskFreeBytes).toBeGreaterThan(0);
    expect(await engine.call("checkpoint")).toMatchObject({ isComplete: true });
    expect(await engine.call("segments")).toMatchObject([{ isSealed: false }]);
    expect(await engine.call("startVerification")).toMatchObject({ state: "running" });
    await expect
      .poll(async () => (await engine.call("verification")).state, { timeout: 10_000 })
      .toBe("identical");
    expect(await engine.call("verification")).toMatchObject({
      txid: primary.txid,
      foundChecksum: primary.checksum,
    });
    await expect(engine.call("forget", "nobody")).rejects.toMatchObject({ code: "replica_unknown" });
  });

  test("whose checkpoint a reader holds up says so", async () => {
    await startMiddle();
    primary.insert(100);
    await caughtUp();
    await middle.checkpoint();
    const reader = new (await import("node:sqlite")).DatabaseSync(path.join(folder, "middle.db"));
    try {
      reader.exec("BEGIN; SELECT count(*) FROM t");
      primary.insert(2000);
      await caughtUp();
      const outcome = await middle.checkpoint();
      expect(outcome.isComplete).toBe(false);
      expect(outcome.copiedFrames).toBeLessThan(outcome.walFrames);
      reader.exec("COMMIT");
      expect(await middle.checkpoint()).toMatchObject({ isComplete: true });
    } finally {
      reader.close();
    }
  });

  test("that has stopped, because somebody wrote to its file, shows its log as it is, kept for itself", async () => {
    await startMiddle();
    primary.insert(1);
    await caughtUp();
    const stranger = new DatabaseSync(path.join(folder, "middle.db"));
    stranger.exec("CREATE TABLE written_by_somebody_else (x)");
    stranger.close();
    primary.insert(1);
    await expect.poll(() => middle.status().lastError?.code, { timeout: 10_000 }).toBe("foreign_write");
    const answer = await fetch(`${url}/admin/wal`);
    const { log, segments } = (await answer.json()) as { log: LogStatus; segments: SegmentStatus[] };
    expect(segments).toHaveLength(log.segmentCount);
    const filesBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
    expect(filesBytes).toBe(log.start.offset + log.sizeBytes);
    expect(segments[0]!.keptFor).toEqual(["recovery"]);
  });

  test("tells nobody the user and password of the node that it asks", async () => {
    const secret = primary.url.replace("://", "://user:opensesame@");
    middle = await follow("middle", secret);
    const notices: unknown[] = [];
    middle.on("notice", (notice) => notices.push(notice));
    await middle.ready;
    await primary.unlisten();
    await expect.poll(() => middle.status().errors, { timeout: 10_000 }).not.toEqual([]);
    expect(middle.status().source).toBe(`${primary.url}/`);
    expect(JSON.stringify([middle.status(), notices])).not.toContain("opensesame");
  });
});
