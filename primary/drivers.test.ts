import { randomBytes } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { loadDriver } from "../shared/sqlite/driver.ts";
import type { Connection, DriverName } from "../shared/sqlite/driver.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";

async function following(driverName: DriverName): Promise<CapturedDatabase> {
  const database = new CapturedDatabase({ driverName, walSoftLimitBytes: 300_000 });
  database.python(SETUP);
  database.keepStart();
  await database.start();
  return database;
}

/** A connection on this thread, as the one that a primary's user gets. */
async function owned(driverName: DriverName, file: string): Promise<Connection> {
  const connection = (await loadDriver(driverName)).open(file);
  connection.exec("PRAGMA busy_timeout=5000");
  connection.exec("PRAGMA wal_autocheckpoint=0");
  onTestFinished(() => connection.close());
  return connection;
}

// The other tests of the capture run with node:sqlite.
describe("attached, with better-sqlite3", () => {
  test("other processes' commits, checkpoints, VACUUM and spilled transactions", async () => {
    const database = await following("better-sqlite3");
    database.python(`
c.execute('pragma wal_autocheckpoint=20')
for i in range(300): c.execute('insert into t values(?,?)', (i, os.urandom(1500)))
c.execute('delete from t where a % 3 > 0')
c.execute('vacuum')
c.execute('pragma cache_size=10')
c.execute('begin')
for i in range(300): c.execute('insert into t(b) values(?)', (os.urandom(2000),))
c.execute('commit')
`);
    database.shell("insert into t(b) values('shell');", "PRAGMA wal_checkpoint(TRUNCATE)");
    expect(await database.prove()).toBe(304);
    expect((await database.status()).differences).toBe(0);
  });

  test("stopped and started: a clean start, and a difference", async () => {
    const database = await following("better-sqlite3");
    database.python("for i in range(20): c.execute('insert into t(b) values(1)')");
    await database.stop();
    await database.start();
    expect(database.messages).toEqual([]);
    await database.stop();
    database.python("c.execute('delete from t where a > 7')");
    await database.start();
    expect(database.messages.join()).toContain("changed while Tailrace was away");
    expect(await database.prove()).toBe(21);
  });
});

describe.each<DriverName>(["node:sqlite", "better-sqlite3"])("owning, with %s", (driverName) => {
  test("commits of this process's own connection, beside those of another process", async () => {
    const database = await following(driverName);
    const connection = await owned(driverName, database.file);
    for (let row = 0; row < 500; row++) {
      connection.exec(`INSERT INTO t(b) VALUES (x'${randomBytes(1000).toString("hex")}')`);
    }
    const { txid } = await database.capture.durable();
    expect(txid).toBe(500);
    database.python("for i in range(50): c.execute('insert into t(b) values(?)', (os.urandom(1000),))");
    connection.exec(
      "BEGIN; DELETE FROM t WHERE a % 2; UPDATE t SET b = zeroblob(50000) WHERE a < 100; COMMIT",
    );
    connection.exec("VACUUM");
    expect(await database.prove()).toBe(552);
    expect((await database.status()).differences).toBe(0);
  });

  test("a read transaction of the user's sees one state, however much is captured and checkpointed meanwhile", async () => {
    const database = await following(driverName);
    const connection = await owned(driverName, database.file);
    connection.exec("INSERT INTO t(b) VALUES (1)");
    connection.exec("BEGIN");
    expect(connection.row("SELECT count(*) FROM t")).toEqual([1]);
    database.python("for i in range(300): c.execute('insert into t(b) values(?)', (os.urandom(3000),))");
    expect((await database.capture.durable()).txid).toBe(301);
    expect((await database.capture.checkpoint()).isComplete).toBe(false);
    expect(connection.row("SELECT count(*) FROM t")).toEqual([1]);
    connection.exec("COMMIT");
    expect(connection.row("SELECT count(*) FROM t")).toEqual([301]);
    expect(await database.prove()).toBe(301);
  });
});
