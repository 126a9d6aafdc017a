import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test, vi } from "vitest";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { snapshotNode } from "../test/harness/snapshot-node.ts";
import { SourceDatabase } from "../test/harness/source-database.ts";
import { PositionFile } from "./position-file.ts";
import { ReplicaDatabase } from "./replica-database.ts";
import { replicaFiles } from "./replica-files.ts";
import { resync } from "./resync.ts";

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
  const { client, head } = snapshotNode(image, {
    meanwhile: () => void (isDisturbed && other.exec("INSERT INTO t VALUES(2, 'theirs')")),
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
      epochSeen: () => 0,
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
