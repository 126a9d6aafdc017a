import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../test/harness/folder.ts";
import { snapshotNode } from "../test/harness/snapshot-node.ts";
import { LogCopy } from "../shared/log/log-copy.ts";
import { EventLoopDelay } from "../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { DataFolder } from "../shared/storage/data-folder.ts";
import { NoRoomError, replicaRoom } from "../shared/storage/disk-room.ts";
import type { ReplicaRoom } from "../shared/storage/disk-room.ts";
import { LocalReplica } from "./local-replica.ts";
import { PositionFile } from "./position-file.ts";
import { ReplicaIdentity } from "./replica-identity.ts";

type Options = Parameters<typeof LocalReplica.open>[0];

const PAGE_SIZE = 512;

function smallDatabase(file: string): Buffer {
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA page_size=${PAGE_SIZE}; PRAGMA journal_mode=WAL; CREATE TABLE t(a)`);
  database.close();
  return readFileSync(file);
}

function openIn(folder: string, options: Partial<Options>): LocalReplica {
  const [file, dataDir] = [join(folder, "edge.db"), join(folder, "edge.db-tailrace")];
  mkdirSync(dataDir, { recursive: true });
  const eventLoop = new EventLoopDelay("test", () => performance.now());
  const { replica } = LocalReplica.open({
    file,
    dataDir,
    driver,
    isDurable: true,
    seen: {},
    bootId: "1".repeat(32),
    room: replicaRoom(dataDir, file, { keepFreeBytes: 0, nowMs: () => performance.now() }),
    nowMs: () => performance.now(),
    metrics: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 << 20 }),
    report: () => {},
    onApplied: () => {},
    ...options,
  });
  onTestFinished(() => replica.close());
  onTestFinished(() => eventLoop.close());
  return replica;
}

test("a bootstrap that fails once the image is in place goes on from there, and takes it for nobody else's", async () => {
  const folder = temporaryFolder();
  const { client, asked } = snapshotNode(smallDatabase(join(folder, "source.db")), {
    pageSizeBytes: PAGE_SIZE,
  });
  let failures = 2;
  const failing: Driver = {
    ...driver,
    open(file, options) {
      if (failures-- > 0) throw Object.assign(new Error("unable to open database file"), { errcode: 14 });
      return driver.open(file, options);
    },
  };
  const replica = openIn(folder, { driver: failing });
  const bootstrap = (): Promise<void> => replica.bootstrap(client, () => {}, new AbortController().signal);

  await expect(bootstrap()).rejects.toThrow("unable to open");
  await expect(bootstrap()).rejects.toThrow("unable to open");
  await bootstrap();
  expect(asked).toEqual([0]);
  expect(replica.position?.applied.txid).toBe(4);
  expect(replica.isReadable).toBe(true);
});

test("an epoch once seen is not forgotten with database and position: a bootstrap refuses an older one", async () => {
  const folder = temporaryFolder();
  const { client } = snapshotNode(smallDatabase(join(folder, "source.db")), { pageSizeBytes: PAGE_SIZE });
  const replica = openIn(folder, { seen: { logId: "0".repeat(32), epoch: 2 } });
  const bootstrap = replica.bootstrap(client, () => {}, new AbortController().signal);
  await expect(bootstrap).rejects.toMatchObject({ code: "stale_epoch" });
  expect(replica.isGone).toBe(true);
});

test("a small transaction is in the database before its applier gives way: no sync of the log copy comes first", async () => {
  const folder = temporaryFolder();
  const { client, commit } = snapshotNode(smallDatabase(join(folder, "source.db")), {
    pageSizeBytes: PAGE_SIZE,
  });
  const replica = openIn(folder, {});
  await replica.bootstrap(client, () => {}, new AbortController().signal);
  replica.receive(commit("a"));
  const applying = replica.applyNext();
  expect(replica.position?.applied.txid).toBe(5);
  expect(replica.unsyncedBytes).toBeGreaterThan(0);
  await applying;
});

test("a transaction for which there is no room is applied once the SQLite WAL has given its own back, and refused while a reader holds that", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "edge.db");
  const { client, commit } = snapshotNode(smallDatabase(join(folder, "source.db")), {
    pageSizeBytes: PAGE_SIZE,
  });
  let isFull = false;
  const take = (bytes: number, what: string): void => {
    if (isFull && statSync(`${file}-wal`).size > 0) throw new NoRoomError(what, bytes, 0);
  };
  const replica = openIn(folder, {
    room: { data: { take: () => {} }, database: { take } } as unknown as ReplicaRoom,
  });
  await replica.bootstrap(client, () => {}, new AbortController().signal);
  replica.receive(commit("a"));
  await replica.applyNext();
  isFull = true;
  replica.receive(commit("b"));
  expect(await replica.applyNext()).toBe(true);
  expect(statSync(`${file}-wal`).size).toBeLessThan(2 * PAGE_SIZE);

  const reader = new DatabaseSync(file);
  reader.exec("BEGIN; SELECT count(*) FROM sqlite_schema");
  replica.receive(commit("c"));
  await expect(replica.applyNext()).rejects.toBeInstanceOf(NoRoomError);
  reader.close();
  await replica.stand();
  expect(await replica.applyNext()).toBe(true);
  expect(replica.position?.applied.txid).toBe(7);
});

test.each(["position", "log", "pages.sum", ""])(
  "its own %j is deleted while it runs: it misses that, puts it back, and goes on without a resync",
  async (name) => {
    const folder = temporaryFolder();
    const { client, commit } = snapshotNode(smallDatabase(join(folder, "source.db")), {
      pageSizeBytes: PAGE_SIZE,
    });
    const reports: string[] = [];
    const data = DataFolder.open(join(folder, "edge.db-tailrace"), driver);
    const identity = ReplicaIdentity.open(data.metaFile, "edge", () => "");
    const replica = openIn(folder, { report: (text) => reports.push(text), belongings: [data, identity] });
    onTestFinished(() => data.close());
    await replica.bootstrap(client, () => {}, new AbortController().signal);
    replica.receive(commit("a"));
    await replica.applyNext();
    expect(replica.missing).toBeUndefined();
    expect(await replica.tend()).toBe("here");

    const gone = join(data.path, name);
    rmSync(gone, { recursive: true });
    expect(relative(gone, replica.missing!)).not.toMatch(/^\.\./);
    await replica.fall();
    await replica.stand();
    expect(replica.missing).toBeUndefined();
    expect(reports.join()).toContain(name === "pages.sum" ? "" : gone);
    replica.receive(commit("b"));
    await replica.applyNext();
    // As the next process finds it.
    const position = PositionFile.open(data.positionFile);
    expect(position.position?.applied.txid).toBe(6);
    // What led to the present state is not there any more, so that nothing may need it.
    if (name === "log") expect(position.position?.floor.txid).toBe(5);
    position.close();
    expect(ReplicaIdentity.open(data.metaFile, undefined, () => "").replicaId).toBe("edge");
    expect(() => DataFolder.open(data.path, driver)).toThrow("in use");
    expect(LogCopy.open({ folder: data.logFolder }).end).toEqual(replica.received);
  },
);

test.each(["-wal", "-shm"])(
  "its database's %s is deleted or replaced while it runs: it notices that",
  async (suffix) => {
    const folder = temporaryFolder();
    const image = smallDatabase(join(folder, "source.db"));
    const { client, commit } = snapshotNode(image, { pageSizeBytes: PAGE_SIZE });
    const replica = openIn(folder, {});
    await replica.bootstrap(client, () => {}, new AbortController().signal);
    replica.receive(commit("a"));
    await replica.applyNext();
    expect(await replica.tend()).toBe("here");
    const path = join(folder, `edge.db${suffix}`);
    renameSync(path, `${path}.aside`);
    expect(await replica.tend()).toBe("bare");
    copyFileSync(`${path}.aside`, path);
    expect(await replica.tend()).toBe("bare");
  },
);
