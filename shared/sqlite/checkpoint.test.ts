import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { salt1 } from "../format/wal.ts";
import { driver as betterSqlite3 } from "./better-sqlite3.ts";
import { passiveCheckpoint, restartWal } from "./checkpoint.ts";
import type { Connection } from "./driver.ts";
import { holdFile } from "./held-files.ts";
import { driver as nodeSqlite } from "./node-sqlite.ts";
import { WalIndexFile } from "./wal-index-file.ts";

/*
 * How SQLite restarts a WAL, and what holds it back: capture loses no commit because of what is written here.
 * A "pin" is an open read transaction.
 */
describe.each([nodeSqlite, betterSqlite3])("with $name", (driver) => {
  let folder: string;
  let file: string;
  let opened: Connection[];
  let writer: Connection;
  let checkpointer: Connection;
  let index: WalIndexFile;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "tailrace-checkpoint-"));
    file = join(folder, "app.db");
    opened = [];
    writer = connect();
    writer.exec("PRAGMA journal_mode=WAL; CREATE TABLE t(n); INSERT INTO t VALUES(0)");
    checkpointer = connect();
    index = new WalIndexFile(holdFile(`${file}-shm`));
  });
  afterEach(() => {
    for (const connection of opened) connection.close();
    rmSync(folder, { recursive: true });
  });

  function connect(): Connection {
    const connection = driver.open(file);
    connection.exec("PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=OFF");
    opened.push(connection);
    return connection;
  }

  function pin(): Connection {
    const connection = connect();
    connection.exec("BEGIN");
    connection.row("SELECT n FROM t");
    return connection;
  }

  function commit(connection: Connection = writer): void {
    connection.exec("UPDATE t SET n = n + 1");
  }

  /** How often the WAL was restarted since, by its first salt. */
  function restartsSince(before: ReturnType<WalIndexFile["read"]>): number {
    return (salt1(index.read().header.salts) - salt1(before.header.salts)) >>> 0;
  }

  test("a passive checkpoint copies all, and the next commit of SQL restarts the WAL: salt-1 grows by exactly 1", () => {
    const before = index.read();
    const frames = before.header.mxFrame;
    expect(passiveCheckpoint(checkpointer)).toEqual({
      busy: false,
      walFrames: frames,
      checkpointedFrames: frames,
    });
    expect(index.read()).toEqual({ header: before.header, backfill: frames });
    commit();
    expect(index.read()).toMatchObject({
      header: { mxFrame: 1, change: before.header.change + 1 },
      backfill: 0,
    });
    expect(restartsSince(before)).toBe(1);
  });

  test("a pin taken while frames are not checkpointed holds off every restart, and no backfill up to it", () => {
    commit();
    const before = index.read();
    const reader = pin();
    commit();
    expect(passiveCheckpoint(checkpointer).checkpointedFrames).toBe(before.header.mxFrame);
    reader.exec("COMMIT");
    const second = pin();
    passiveCheckpoint(checkpointer);
    expect(index.read().backfill).toBe(index.read().header.mxFrame);
    for (let n = 0; n < 3; n++) commit();
    expect(restartWal(checkpointer)).toBe(false);
    expect(restartsSince(before)).toBe(0);
    expect(index.read().header.mxFrame).toBe(before.header.mxFrame + 4);
    second.exec("COMMIT");
  });

  test("a pin taken when all is checkpointed lets the next writer restart once, and keeps it from a second time", () => {
    passiveCheckpoint(checkpointer);
    const before = index.read();
    const reader = pin();
    commit();
    expect(restartsSince(before)).toBe(1);
    for (let n = 0; n < 5; n++) {
      expect(passiveCheckpoint(checkpointer)).toMatchObject({ busy: false, checkpointedFrames: 0 });
      expect(restartWal(checkpointer)).toBe(false);
      commit();
    }
    expect(restartsSince(before)).toBe(1);
    expect(index.read()).toMatchObject({
      header: { mxFrame: 6, change: before.header.change + 6 },
      backfill: 0,
    });
    expect(reader.row("SELECT n FROM t")).toEqual([0]);
    reader.exec("COMMIT");
  });

  test("restartWal empties the -wal; the change counter goes on", () => {
    commit();
    const before = index.read();
    expect(restartWal(checkpointer)).toBe(true);
    expect(statSync(`${file}-wal`).size).toBe(0);
    expect(index.read()).toMatchObject({ header: { mxFrame: 0, change: before.header.change }, backfill: 0 });
    expect(restartsSince(before)).toBe(1);
  });

  test("TRUNCATE restarts a fully checkpointed WAL under a pin, and again although it is empty: salt-1 grows by more", () => {
    passiveCheckpoint(checkpointer);
    const before = index.read();
    const reader = pin();
    expect(restartWal(checkpointer)).toBe(true);
    expect(restartWal(checkpointer)).toBe(true);
    expect(restartsSince(before)).toBe(2);
    expect(index.read().header.change).toBe(before.header.change);
    reader.exec("COMMIT");
  });

  test("a first frame by a connection that has never restarted a WAL has random salts; only the change counter is kept", () => {
    expect(restartWal(checkpointer)).toBe(true);
    const restarted = index.read();
    commit(connect());
    const { header } = index.read();
    expect(header.salts.slice(8)).not.toBe(restarted.header.salts.slice(8));
    expect(header).toMatchObject({ mxFrame: 1, change: restarted.header.change + 1 });
  });

  test("a checkpoint with RESTART leaves the restart itself to the next writer", () => {
    const before = index.read();
    expect(checkpointer.row("PRAGMA wal_checkpoint(RESTART)")?.[0]).toBe(0);
    expect(index.read()).toEqual({ header: before.header, backfill: before.header.mxFrame });
  });

  test("a writer in its transaction stands in the way of a restart, not of a passive checkpoint", () => {
    writer.exec("BEGIN IMMEDIATE");
    expect(passiveCheckpoint(checkpointer).checkpointedFrames).toBe(index.read().header.mxFrame);
    expect(restartWal(checkpointer)).toBe(false);
    writer.exec("COMMIT");
    expect(restartWal(checkpointer)).toBe(true);
  });
});
