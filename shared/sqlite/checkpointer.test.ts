import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { driver as betterSqlite3 } from "./better-sqlite3.ts";
import { BackgroundCheckpointer } from "./checkpointer.ts";
import type { Connection } from "./driver.ts";
import { holdFile } from "./held-files.ts";
import { driver as nodeSqlite } from "./node-sqlite.ts";
import { WalIndexFile } from "./wal-index-file.ts";

describe.each([nodeSqlite, betterSqlite3])("with $name", (driver) => {
  let folder: string;
  let file: string;
  let writer: Connection;
  let index: WalIndexFile;
  let checkpointer: BackgroundCheckpointer;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "tailrace-checkpointer-"));
    file = join(folder, "app.db");
    writer = driver.open(file);
    writer.exec(
      "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(n); INSERT INTO t VALUES(0)",
    );
    index = new WalIndexFile(holdFile(`${file}-shm`));
    checkpointer = BackgroundCheckpointer.start({ driverName: driver.name, file });
  });
  afterEach(async () => {
    await checkpointer.close();
    writer.close();
    rmSync(folder, { recursive: true });
  });

  test("copies the WAL into the database in another thread", async () => {
    const { mxFrame } = index.read().header;
    expect(await checkpointer.passive()).toEqual({
      busy: false,
      walFrames: mxFrame,
      checkpointedFrames: mxFrame,
    });
    expect(index.read().backfill).toBe(mxFrame);
  });

  test("goes as far as a reader permits, under an open transaction, and blocks neither", async () => {
    const { mxFrame } = index.read().header;
    const reader = driver.open(file);
    reader.exec("BEGIN");
    reader.row("SELECT n FROM t");
    writer.exec("UPDATE t SET n = 1; BEGIN IMMEDIATE; UPDATE t SET n = 2");
    expect(await checkpointer.passive()).toMatchObject({
      walFrames: mxFrame + 1,
      checkpointedFrames: mxFrame,
    });
    expect(reader.row("SELECT n FROM t")).toEqual([0]);
    writer.exec("COMMIT");
    reader.close();
    expect(await checkpointer.passive()).toMatchObject({ checkpointedFrames: mxFrame + 2 });
  });

  test("calls during a checkpoint share its result", async () => {
    expect(checkpointer.passive()).toBe(checkpointer.passive());
    const first = await checkpointer.passive();
    writer.exec("UPDATE t SET n = 1");
    expect(await checkpointer.passive()).not.toEqual(first);
  });

  test("ends after a checkpoint that is under way, answers closed from then on, and drops no lock of the process", async () => {
    writer.exec("BEGIN IMMEDIATE");
    const running = checkpointer.passive();
    await checkpointer.close();
    await checkpointer.close();
    expect(await running).toMatchObject({ busy: false });
    await expect(checkpointer.passive()).rejects.toMatchObject({ code: "closed" });
    const other = spawnSync("sqlite3", [file, "BEGIN IMMEDIATE"], { encoding: "utf8" });
    expect(other.stderr).toContain("database is locked");
    writer.exec("COMMIT");
  });
});

test.each(["node:sqlite", "better-sqlite3"] as const)(
  "%s: a file that is not there is an error of each call and of nothing else, and is not made",
  async (driverName) => {
    const folder = mkdtempSync(join(tmpdir(), "tailrace-checkpointer-"));
    const checkpointer = BackgroundCheckpointer.start({ driverName, file: join(folder, "gone #1?.db") });
    await expect(checkpointer.passive()).rejects.toMatchObject({ code: "storage_failed" });
    await checkpointer.close();
    await BackgroundCheckpointer.start({ driverName, file: join(folder, "gone.db") }).close();
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  },
);
