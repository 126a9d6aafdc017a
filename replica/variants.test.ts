import { afterEach, describe, expect, test } from "vitest";
import { Edge } from "../test/harness/edge.ts";
import { shell } from "../test/harness/shell.ts";

/* One story for every driver and the extremes of the page size: 4096 on node:sqlite is what all other tests have. */
describe.each([
  ["node:sqlite", 512, 18],
  ["node:sqlite", 1024, 1],
  ["node:sqlite", 65536, 18],
  ["better-sqlite3", 4096, 18],
] as const)("a replica over %s with pages of %i bytes", (driverName, pageSizeBytes, largeMegabytes) => {
  let edge: Edge;
  afterEach(() => edge.close());

  test("bootstraps, follows, merges a backlog, streams what is large, resyncs, and ends identical", async () => {
    edge = new Edge({ driverName }, pageSizeBytes);
    const { primary, file, messages } = edge;
    primary.insert(300, 700);
    await primary.listen();
    const replica = await edge.start();
    await replica.ready;
    expect(shell(file, "PRAGMA page_size")).toBe(String(pageSizeBytes));
    for (let commit = 0; commit < 5; commit++) await replica.waitFor(primary.insert(3, 2000));
    primary.commit("CREATE TABLE other(name PRIMARY KEY, body) WITHOUT ROWID");
    primary.commit("INSERT INTO other SELECT hex(randomblob(8)), body FROM t");
    await replica.sync();
    expect(shell(file, "SELECT count(*) FROM other")).toBe("315");
    await edge.stop();

    for (let commit = 0; commit < 5; commit++) primary.insert(10, 1000);
    // 18 are more than a batch holds.
    primary.insert(2 * largeMegabytes, 500_000);
    primary.commit("DELETE FROM t WHERE length(body) = 500000");
    primary.commit("VACUUM");
    const again = await edge.start();
    await again.sync();
    expect(messages.join("\n")).not.toMatch(/resync|diverged|foreign/);

    primary.commitInSecret("UPDATE t SET body = zeroblob(100) WHERE id = 7");
    primary.beginHistory();
    await primary.unlisten();
    await primary.listen();
    primary.insert(1);
    await again.waitFor(1);
    await again.sync();
    expect(messages.join("\n")).toMatch(/resync: [1-9]\d? pages differed/);
    expect(again.status()).toMatchObject({ position: { databaseChecksum: primary.checksum } });
    await edge.expectIdentical();
  });
});
