import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { DatabaseSync } from "node:sqlite";
import { RpcClient } from "../shared/rpc.ts";
import type { EngineEvents, EngineMethods, NodeHead } from "../shared/serve/engine.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { SmallDisk } from "../test/harness/small-disk.ts";

/* What goes wrong beside the capture, and what keeps it from being done. */

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";
const COMMIT = "c.execute('insert into t(b) values(1)')\n";
/** Half a MiB of log, and a database that stays as small as that. */
const CHURN =
  "for i in range(60): c.execute('insert or replace into t values(?,?)', (i % 10, os.urandom(5000)))\n";
const SMALL = { segmentSizeBytes: 65_536, keepLogBytes: 1 << 30, snapshotAfterBytes: 1 << 30 };

test("a log that cannot be cut: said once, shown until it can, and no commit that goes well hides it", async () => {
  const database = new CapturedDatabase(SMALL);
  database.python(SETUP);
  await database.start();
  const notices: string[] = [];
  const troubles: unknown[] = [];
  database.capture.on("notice", ({ name }) => notices.push(name));
  database.capture.on("trouble", (trouble) => troubles.push(trouble));
  database.python(CHURN);
  for (let count = 0; count < 2; count++) await database.capture.snapshot();
  await database.capture.checkpoint();
  // In place of the first segment stands what cannot be removed like one.
  const first = join(database.dataDir, "log", "0000000000000001.log");
  rmSync(first);
  mkdirSync(first);
  writeFileSync(join(first, "something"), "");
  await database.capture.configure({ keepLogBytes: 0 });
  const shown = async (): Promise<unknown> => (await database.status()).upkeepTroubles;
  await expect
    .poll(shown, { timeout: 10_000 })
    .toMatchObject([{ task: "retention", code: "storage_failed", message: expect.stringContaining(first) }]);
  for (let count = 0; count < 5; count++) {
    database.python(COMMIT);
    await database.capture.durable();
    expect(await shown()).toMatchObject([{ task: "retention" }]);
  }
  const { lastError, errors } = await database.status();
  expect([lastError, troubles]).toEqual([null, []]);
  expect(errors).toMatchObject([{ code: "storage_failed" }]);
  rmSync(first, { recursive: true });
  await expect.poll(shown, { timeout: 10_000 }).toEqual([]);
  const told = (): string[] => notices.filter((name) => name.startsWith("upkeep"));
  await expect.poll(told).toEqual(["upkeep_failed", "upkeep_recovered"]);
  expect((await database.status()).log.start.segment).toBeGreaterThan(2);
});

test("a snapshot that cannot be removed does not keep the log from being cut", async () => {
  const database = new CapturedDatabase(SMALL);
  database.python(SETUP);
  await database.start();
  database.python(CHURN);
  const snapshots = join(database.dataDir, "snapshots");
  await database.capture.snapshot();
  await database.capture.snapshot();
  // Whatever somebody has done to its files.
  rmSync(join(snapshots, "00000001.json"));
  mkdirSync(join(snapshots, "00000001.json"));
  rmSync(join(snapshots, "00000002.json"));
  database.python(CHURN);
  await database.capture.checkpoint();
  // Nor another from being taken.
  expect((await database.capture.snapshot()).generation).toBe(3);
  await database.capture.configure({ keepSnapshots: 1, keepLogBytes: 0 });
  await expect
    .poll(async () => (await database.status()).log.start.segment, { timeout: 10_000 })
    .toBeGreaterThan(1);
  expect(await database.status()).toMatchObject({
    upkeepTroubles: [{ task: "pruning", code: "storage_failed" }],
    lastError: null,
  });
  rmSync(join(snapshots, "00000001.json"), { recursive: true });
  await expect
    .poll(async () => (await database.status()).snapshots.map(({ generation }) => generation))
    .toEqual([3]);
  expect((await database.status()).upkeepTroubles).toEqual([]);
});

test("a reader that stays at an old state holds up checkpoints; that is shown, and the log is bounded all the same", async () => {
  const database = new CapturedDatabase({ ...SMALL, keepLogBytes: 100_000, maxLogBytes: 300_000 });
  database.python(SETUP);
  database.keepStart();
  await database.start();
  database.python(COMMIT);
  await database.capture.durable();
  const reader = new DatabaseSync(database.file, { readOnly: true });
  onTestFinished(() => {
    if (reader.isOpen) reader.close();
  });
  reader.exec("BEGIN; SELECT count(*) FROM t");
  for (let round = 0; round < 4; round++) database.python(CHURN);
  await database.capture.durable();
  await expect
    .poll(async () => (await database.status()).log.sizeBytes, { timeout: 15_000, interval: 50 })
    .toBeLessThanOrEqual(300_000);
  const held = await database.status();
  expect(held.wal.heldUpSinceMs).toBeLessThanOrEqual(held.asOfMs);
  expect(held.wal.backfilledFrames).toBeLessThan(held.wal.publishedFrames);
  // On disk in the WAL, not in the database file.
  expect(held.checkpointedTxid).toBeGreaterThan(100);
  expect(reader.prepare("SELECT count(*) AS count FROM t").get()).toEqual({ count: 1 });
  reader.exec("COMMIT");
  expect(await database.capture.checkpoint()).toMatchObject({ isComplete: true });
  expect((await database.status()).wal.heldUpSinceMs).toBeNull();
});

test.skipIf(!SmallDisk.isAllowed)(
  "while capture waits for room on the disk, its head says since when it may be behind",
  async () => {
    const disk = new SmallDisk(8 << 20);
    const dataDir = join(disk.path, "data");
    const database = new CapturedDatabase({ dataDir });
    onTestFinished(async () => {
      await database.stop();
      disk.remove();
    });
    database.python(SETUP);
    await database.start();
    const heads: NodeHead[] = [];
    const { port1, port2 } = new MessageChannel();
    onTestFinished(() => port1.close());
    const server = new RpcClient<EngineMethods, EngineEvents>(port1);
    server.on("head", (head) => heads.push(head));
    await database.capture.connectServe(port2);
    database.python(COMMIT);
    const { txid } = await database.capture.durable();
    await expect.poll(() => heads.at(-1)).toMatchObject({ txid, freshAsOfMs: null });
    const { end: received } = heads.at(-1)!;
    const seen = { id: "edge-1", address: null, received, sent: null, appliedTxid: txid };
    const sightings = [{ ...seen, lastSeenMs: Date.now(), isAsking: true }];
    await server.call("report", { sightings, heldGenerations: [] });
    disk.fill();
    const beforeMs = Date.now();
    database.python(CHURN);
    await expect.poll(() => heads.at(-1)?.freshAsOfMs, { timeout: 10_000 }).toBeTypeOf("number");
    const { freshAsOfMs } = heads.at(-1)!;
    // Within what a turn without news takes.
    expect(freshAsOfMs! - beforeMs).toBeGreaterThan(-5000);
    expect(freshAsOfMs).toBeLessThanOrEqual(Date.now());
    const during = await database.status();
    expect(during.lastError).toMatchObject({ code: "storage_failed" });
    // A replica that has all there is may be behind all the same.
    expect(during.replicas).toMatchObject([{ id: "edge-1", lagTransactions: 0, freshAsOfMs }]);
    disk.free();
    await expect
      .poll(() => heads.at(-1), { timeout: 20_000 })
      .toMatchObject({ txid: txid + 60, freshAsOfMs: null });
    expect(execFileSync("sqlite3", [database.file, "SELECT count(*) FROM t"], { encoding: "utf8" })).toBe(
      "10\n",
    );
  },
);
