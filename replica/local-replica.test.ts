import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../test/harness/folder.ts";
import { hashPage } from "../shared/format/page-hash.ts";
import { EventLoopDelay } from "../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import type { Driver } from "../shared/sqlite/driver.ts";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { UNKNOWN_BOOT } from "../shared/storage/boot-id.ts";
import { replicaRoom } from "../shared/storage/disk-room.ts";
import { LocalReplica } from "./local-replica.ts";
import type { SnapshotClient } from "./snapshot-client.ts";

type Options = Parameters<typeof LocalReplica.open>[0];

const PAGE_SIZE = 512;

/** A client whose primary has this image, and counts how often it was asked for it. */
function clientOf(image: Buffer): { client: SnapshotClient; readonly downloads: () => number } {
  let downloads = 0;
  const pageCount = image.length / PAGE_SIZE;
  let checksum = 0n;
  for (let page = 1; page <= pageCount; page++)
    checksum ^= hashPage(page, image.subarray((page - 1) * PAGE_SIZE, page * PAGE_SIZE));
  const head = {
    generation: 1,
    etag: '"1"',
    logId: "0".repeat(32),
    epoch: 1,
    pageSizeBytes: PAGE_SIZE,
    state: { txid: 1, cursor: { segment: 1, offset: 80 }, checksum, pageCount },
  };
  const read: SnapshotClient["read"] = async (_range, sink) => {
    downloads += 1;
    sink.start(head, 0);
    sink.data(image);
  };
  return { client: { read } as SnapshotClient, downloads: () => downloads };
}

function smallDatabase(file: string): Buffer {
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA page_size=${PAGE_SIZE}; PRAGMA journal_mode=WAL; CREATE TABLE t(a)`);
  database.close();
  return readFileSync(file);
}

function openIn(folder: string, options: Partial<Options>): LocalReplica {
  const [file, dataDir] = [join(folder, "edge.db"), join(folder, "edge.db-tailrace")];
  mkdirSync(dataDir);
  const eventLoop = new EventLoopDelay("test", () => performance.now());
  const { replica } = LocalReplica.open({
    file,
    dataDir,
    driver,
    isDurable: true,
    seen: {},
    bootId: UNKNOWN_BOOT,
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
  const { client, downloads } = clientOf(smallDatabase(join(folder, "source.db")));
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
  expect(downloads()).toBe(1);
  expect(replica.position?.applied.txid).toBe(1);
  expect(replica.isReadable).toBe(true);
});

test("an epoch once seen is not forgotten with database and position: a bootstrap refuses an older one", async () => {
  const folder = temporaryFolder();
  const { client } = clientOf(smallDatabase(join(folder, "source.db")));
  const replica = openIn(folder, { seen: { logId: "0".repeat(32), epoch: 2 } });
  const bootstrap = replica.bootstrap(client, () => {}, new AbortController().signal);
  await expect(bootstrap).rejects.toMatchObject({ code: "stale_epoch" });
  expect(replica.isGone).toBe(true);
});
