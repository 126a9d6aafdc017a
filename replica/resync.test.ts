import { closeSync, openSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, test } from "vitest";
import { segmentPath } from "../shared/log/segment-files.ts";
import type { Notice } from "../shared/notice.ts";
import { Edge } from "../test/harness/edge.ts";
import { shell } from "../test/harness/shell.ts";

let edge: Edge;
afterEach(async () => {
  await edge.close();
});

/** What the last resync said of itself when it was done. */
function done(notices: readonly Notice[]): Notice["fields"] {
  const found = notices.findLast(({ name }) => name === "resync_done");
  if (found === undefined) throw new Error("no resync was done");
  return found.fields;
}

async function start(): Promise<Notice[]> {
  const notices: Notice[] = [];
  (await edge.start()).on("notice", (notice) => notices.push(notice));
  return notices;
}

describe("a resync", () => {
  test("of a large database that differs by little moves little: checksums, a few pages, and the log after", async () => {
    edge = new Edge({ onForeignWrite: "resync" });
    const { primary } = edge;
    for (let part = 0; part < 2; part++) primary.insert(1000, 4000);
    await primary.listen();
    const notices = await start();
    await edge.replica.sync();
    const imageBytes = edge.replica.status().database.sizeBytes!;
    expect(imageBytes).toBeGreaterThan(8_000_000);

    primary.commitInSecret("UPDATE t SET body = randomblob(4000) WHERE id IN (17, 1717)");
    await primary.unlisten();
    primary.beginHistory();
    await primary.takeSnapshot();
    primary.insert(3, 4000);
    await primary.listen();
    await edge.replica.sync();
    await expect.poll(() => edge.replica.status().position, { timeout: 10_000 }).toMatchObject({ txid: 1 });

    const { resyncs, bootstraps, lastResync } = edge.replica.status();
    expect({ resyncs, bootstraps }).toEqual({ resyncs: 1, bootstraps: 1 });
    expect(lastResync!.pages).toBeLessThanOrEqual(6);
    const checksumBytes = (imageBytes / 4096) * 8;
    expect(lastResync!.fetchedBytes).toBeGreaterThan(checksumBytes + lastResync!.pages * 4096);
    expect(lastResync!.fetchedBytes).toBeLessThan(checksumBytes + 30 * 4096);
    expect(lastResync!.fetchedBytes).toBeLessThan(imageBytes / 100);
    expect(done(notices)).toMatchObject({
      pages: lastResync!.pages,
      fetchedBytes: lastResync!.fetchedBytes,
      txid: 1,
    });
    await edge.expectIdentical();
  });

  test("to a snapshot that is older than the replica does not step back: it lands where the log ends", async () => {
    edge = new Edge({ onForeignWrite: "resync" });
    const { primary, file } = edge;
    primary.insert(300);
    await primary.listen();
    await start();
    await edge.replica.sync();
    for (let commit = 0; commit < 30; commit++) primary.insert(10);
    await edge.replica.sync();
    const before = primary.txid;
    await edge.stop();
    shell(file, "CREATE TABLE mine(x)");
    primary.insert(10);
    const notices = await start();
    await edge.replica.sync();
    // The snapshot is that of the bootstrap, from before all of them.
    expect(done(notices)).toMatchObject({ fromTxid: before, txid: before + 1 });
    expect(edge.replica.status().position).toMatchObject({ databaseChecksum: primary.checksum });
    await edge.expectIdentical();
  });

  test("whose log is damaged before where the replica was does not step back either: it waits for another snapshot", async () => {
    edge = new Edge({ onForeignWrite: "resync" });
    const { primary, file } = edge;
    primary.insert(300);
    await primary.listen();
    await start();
    await edge.replica.sync();
    const { segment, offset } = primary.cursor;
    primary.insert(10);
    await edge.replica.sync();
    await edge.stop();
    // It forgets what it has read of the log, too.
    await primary.unlisten();
    await primary.listen();
    shell(file, "CREATE TABLE mine(x)");
    const damaged = openSync(segmentPath(primary.logFolder, segment), "r+");
    writeSync(damaged, Buffer.alloc(100), 0, 100, offset);
    closeSync(damaged);
    await start();
    const lastError = (): unknown => edge.replica.status().lastError?.code;
    await expect.poll(lastError, { timeout: 10_000 }).toBe("damaged");
    expect(shell(file, "SELECT count(*) FROM t")).toBe("310");
    primary.renewSnapshot();
    await edge.replica.sync();
    expect(edge.replica.status()).toMatchObject({ resyncs: 1 });
    await edge.expectIdentical();
  });

  test("is over, and so is what has led to it, although nothing more is committed; as is a bootstrap", async () => {
    edge = new Edge({ onForeignWrite: "resync" });
    const { primary, file } = edge;
    primary.insert(100);
    await primary.listen();
    await start();
    const receiver = { failures: 0, primaryTxid: primary.txid };
    const lag = { transactions: 0 };
    const { replica } = edge;
    await expect
      .poll(() => replica.status(), { timeout: 10_000 })
      .toMatchObject({ state: "following", bootstraps: 1, lag, receiver });
    await edge.stop();
    shell(file, "CREATE TABLE mine(x)");
    await start();
    const again = edge.replica;
    await expect
      .poll(() => again.status(), { timeout: 10_000 })
      .toMatchObject({ state: "following", resyncs: 1, lag, receiver });
  });

  test("that another process keeps from landing does not pass for landed", async () => {
    edge = new Edge();
    const { primary, file } = edge;
    primary.insert(100);
    await primary.listen();
    await start();
    const { replica } = edge;
    await replica.sync();
    const other = new DatabaseSync(file);
    other.exec("BEGIN IMMEDIATE");
    primary.commitInSecret("UPDATE t SET body = randomblob(100) WHERE id = 17");
    primary.beginHistory();
    await primary.unlisten();
    await primary.listen();
    for (let commit = 0; commit < 5; commit++) primary.insert(1);
    await expect
      .poll(() => replica.status(), { timeout: 10_000 })
      .toMatchObject({ lastError: { code: "database_busy" }, position: null, lag: { transactions: null } });
    await expect(replica.waitFor(1, { timeoutMs: 0 })).rejects.toMatchObject({ code: "timeout" });
    other.exec("ROLLBACK");
    other.close();
    await replica.sync();
    // How far behind it is, it knows with the primary's next answer.
    await expect
      .poll(() => replica.status(), { timeout: 10_000 })
      .toMatchObject({ position: { txid: primary.txid }, lag: { transactions: 0 } });
    await edge.expectIdentical();
  });

  test("past a log in which the database has grown and shrunk ends with the pages that are left", async () => {
    edge = new Edge({ onForeignWrite: "resync" });
    const { primary, file } = edge;
    primary.insert(500, 4000);
    await primary.listen();
    await start();
    await edge.replica.sync();
    await edge.stop();
    shell(file, "CREATE TABLE mine(x)");
    primary.insert(500, 4000);
    primary.commit("DELETE FROM t WHERE id > 50");
    primary.commit("VACUUM");
    const notices = await start();
    await edge.replica.sync();
    expect(done(notices)).toMatchObject({ txid: primary.txid });
    await edge.expectIdentical();
  });

  test("goes on with what is committed meanwhile, and its log copy leads on from there after a restart", async () => {
    edge = new Edge({ onForeignWrite: "resync" });
    const { primary, file } = edge;
    primary.insert(100);
    await primary.listen();
    await start();
    await edge.replica.sync();
    await edge.stop();
    shell(file, "CREATE TABLE mine(x)");
    for (let commit = 0; commit < 5; commit++) primary.insert(200, 4000);
    await start();
    await edge.replica.sync();
    await edge.stop();
    primary.insert(1);
    const notices = await start();
    await edge.replica.sync();
    expect(notices).toEqual([]);
    await edge.expectIdentical();
  });
});
