import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test, vi } from "vitest";
import { hashPage } from "../shared/format/page-hash.ts";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { SourceDatabase } from "../test/harness/source-database.ts";
import { PositionFile } from "./position-file.ts";
import { ReplicaDatabase } from "./replica-database.ts";
import { replicaFiles } from "./replica-files.ts";
import { resync } from "./resync.ts";
import type { RangeSink, SnapshotClient, SnapshotHead } from "./snapshot-client.ts";

const PAGE_BYTES = 4096;

/** A node with this snapshot and nothing after it; `meanwhile` is done while it answers for the page checksums. */
function snapshotOf(image: Buffer, meanwhile: () => void): { client: SnapshotClient; head: SnapshotHead } {
  const hashes = Array.from({ length: image.length / PAGE_BYTES }, (_, index) =>
    hashPage(index + 1, image.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES)),
  );
  const head: SnapshotHead = {
    generation: 1,
    etag: '"1"',
    logId: "0".repeat(32),
    epoch: 1,
    pageSizeBytes: PAGE_BYTES,
    state: {
      txid: 4,
      cursor: { segment: 1, offset: 80 },
      checksum: hashes.reduce((sum, hash) => sum ^ hash, 0n),
      pageCount: hashes.length,
    },
  };
  const client = {
    fetchedBytes: 0,
    head: async () => head,
    pageChecksums: async (_head: SnapshotHead, onData: (bytes: Buffer) => void) => {
      meanwhile();
      onData(Buffer.from(BigUint64Array.from(hashes).buffer));
    },
    read: async ({ from, until }: { from: number; until: number }, sink: RangeSink) => {
      sink.start(head, from);
      sink.data(image.subarray(from, until));
    },
  };
  return { client: client as unknown as SnapshotClient, head };
}

test("a resync does not land on what another process has committed since it read the pages", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "edge.db");
  const source = new SourceDatabase(driver, join(folder, "source.db"));
  source.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, body); INSERT INTO t VALUES(1, 'old')");
  source.copyTo(file);
  source.exec("UPDATE t SET body = 'new'");
  source.settle();
  source.close();
  const image = readFileSync(join(folder, "source.db"));

  const files = replicaFiles(join(folder, "data"), file);
  mkdirSync(files.dataDir);
  const database = ReplicaDatabase.open(file, driver);
  const positionFile = PositionFile.open(files.position);
  const other = new DatabaseSync(file);
  onTestFinished(async () => {
    other.close();
    positionFile.close();
    await database.close();
  });
  let isDisturbed = true;
  const { client, head } = snapshotOf(image, () => {
    if (isDisturbed) other.exec("INSERT INTO t VALUES(2, 'theirs')");
  });
  const receiver = {
    fetch: async ({ cursor }: { cursor: object }) => ({
      from: cursor,
      bytes: Buffer.alloc(0),
      next: cursor,
      isEof: true,
      head: { cursor },
    }),
  };
  const room = { take: () => undefined };
  const run = (): Promise<object> =>
    resync({
      client,
      receiver,
      database,
      files,
      positionFile,
      replaceLog: () => undefined,
      bootId: "0".repeat(32),
      room: { data: room, database: room },
      onProgress: () => undefined,
      signal: new AbortController().signal,
    } as unknown as Parameters<typeof resync>[0]);
  const bodies = (): unknown[] =>
    other
      .prepare("SELECT body FROM t")
      .all()
      .map(({ body }) => body);

  await expect(run()).rejects.toMatchObject({ code: "database_busy", retryable: true });
  expect(bodies()).toEqual(["old", "theirs"]);
  expect(positionFile.position?.phase).toBe("resyncing");

  isDisturbed = false;
  const commit = vi.spyOn(database.appender, "commit");
  await run();
  // The position says so for good: a loss of power must not take the pages back.
  expect(commit).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ isDurable: true }));
  expect(bodies()).toEqual(["new"]);
  expect(positionFile.position).toMatchObject({ phase: "following", applied: head.state });
});
