import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { openPrimary } from "../src/primary.ts";
import type { Primary } from "../src/primary.ts";
import { openReplica } from "../src/replica.ts";
import { temporaryFolder } from "./harness/folder.ts";
import { assertSameBytes, shell } from "./harness/shell.ts";

/** What happens to a primary, between two of its lives, that makes it begin a new log. */
const CASES: readonly (readonly [string, (file: string, edge: string) => void, RegExp])[] = [
  [
    "its log is damaged",
    (file) => {
      const path = join(`${file}-tailrace`, "log", "0000000000000001.log");
      const bytes = readFileSync(path);
      bytes[40_000]! ^= 4;
      writeFileSync(path, bytes);
    },
    /log segment 1 is damaged at offset/,
  ],
  [
    "its page size is another",
    (file, edge) => {
      // No replica can take that over under its readers: it says so, and what to do.
      rmSync(edge);
      shell(file, "PRAGMA journal_mode=DELETE; PRAGMA page_size=1024; VACUUM; PRAGMA journal_mode=WAL");
    },
    /page size changed from 4096 to 1024/,
  ],
];

function fill(database: DatabaseSync): void {
  for (let row = 0; row < 40; row++) database.exec("INSERT INTO t(b) VALUES (randomblob(3000))");
}

test.each(CASES)(
  "a primary begins a new log, because %s: its replica follows, byte for byte",
  async (_, change, why) => {
    const folder = temporaryFolder();
    const file = join(folder, "app.db");
    const edge = join(folder, "edge.db");
    let port = 0;
    const open = (): Promise<Primary> => openPrimary({ file, listen: { port }, segmentSizeBytes: 65_536 });
    let primary = await open();
    port = Number(new URL(primary.address!).port);
    primary.database.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
    fill(primary.database);
    await primary.durable();
    let replica = await openReplica({ primary: primary.address!, file: edge });
    await replica.sync();
    await replica.close();
    await primary.close();

    change(file, edge);
    primary = await open();
    const said = new Promise((resolve) => primary.on("message", resolve));
    expect(await said).toMatch(why);
    fill(primary.database);
    await primary.durable();
    replica = await openReplica({ primary: primary.address!, file: edge });
    await replica.sync();
    await replica.close();
    await primary.close();
    assertSameBytes(file, edge);
  },
);

test("a replica of another page size stops, and whoever waits for it is told why", async () => {
  const folder = temporaryFolder();
  const file = join(folder, "app.db");
  const edge = join(folder, "edge.db");
  let primary = await openPrimary({ file, listen: { port: 0 } });
  const port = Number(new URL(primary.address!).port);
  primary.database.exec("CREATE TABLE t (b)");
  await primary.durable();
  let replica = await openReplica({ primary: primary.address!, file: edge });
  await replica.sync();
  await replica.close();
  await primary.close();

  shell(file, "PRAGMA journal_mode=DELETE; PRAGMA page_size=1024; VACUUM; PRAGMA journal_mode=WAL");
  primary = await openPrimary({ file, listen: { port } });
  replica = await openReplica({ primary: primary.address!, file: edge });
  await expect(replica.sync()).rejects.toMatchObject({ code: "page_size_changed" });
  await expect(replica.sync()).rejects.toMatchObject({ code: "page_size_changed" });
  await replica.close();
  await primary.close();
});
