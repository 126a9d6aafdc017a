import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { CapturedDatabase } from "../test/harness/captured-database.ts";

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";

async function following(
  setup = SETUP,
  options: ConstructorParameters<typeof CapturedDatabase>[0] = {},
): Promise<CapturedDatabase> {
  const database = new CapturedDatabase(options);
  database.python(setup);
  database.keepStart();
  await database.start();
  return database;
}

describe("every commit becomes one record, whoever makes it", () => {
  test("in one life of a database that all kinds of writers share", { timeout: 120_000 }, async () => {
    const database = await following(SETUP, { walSoftLimitBytes: 300_000 });
    let records = 0;
    /** Proves that what was done was so many commits. */
    const proven = async (what: string, commits: number): Promise<void> => {
      expect(await database.prove(), what).toBe((records += commits));
      expect((await database.status()).differences, what).toBe(0);
    };

    database.python("for i in range(50): c.execute('insert into t values(?,?)', (i, 'x' * 100))");
    database.shell("insert into t values(100, 'shell');", "update t set b = 'y' where a = 3;");
    await proven("single commits of Python and of the sqlite3 shell", 52);
    expect(database.fragments().map(({ txid }) => txid)).toEqual(Array.from({ length: 52 }, (_, i) => i + 1));

    for (let round = 0; round < 6; round++) {
      database.python(
        `c.execute('pragma wal_autocheckpoint=20')\nfor i in range(60): c.execute('insert into t(b) values(?)', ('x' * 3000,))`,
      );
      if (round % 3 === 0) await database.capture.checkpoint();
    }
    await proven("the writer's own autocheckpoints, past several restarts of the WAL", 6 * 60);

    for (let round = 0; round < 4; round++) {
      database.shell("insert into t(b) values('before');");
      await database.capture.durable();
      await database.capture.checkpoint();
      database.shell("PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_checkpoint(TRUNCATE)");
      database.shell("PRAGMA wal_checkpoint(TRUNCATE)");
      database.shell("insert into t(b) values('after');");
    }
    await proven("wal_checkpoint(TRUNCATE), twice over, and writers that see an empty WAL", 8);

    database.python(`
c.execute('pragma cache_size=10')
for n in range(6):
    c.execute('begin')
    for i in range(300): c.execute('insert into t(b) values(?)', (os.urandom(2000),))
    c.execute('savepoint s')
    c.execute('update t set b = zeroblob(500)')
    if n % 2: c.execute('rollback to s')
    c.execute('rollback' if n % 3 == 0 else 'commit')
`);
    await proven("transactions that spill, roll back, and nest savepoints", 4);

    database.python(`
c.execute('delete from t')
for i in range(300): c.execute('insert into t values(?,?)', (i, os.urandom(1500)))
c.execute('delete from t where a % 3 > 0')
c.execute('vacuum')
c.execute('create index ti on t(b)')
c.execute('create table u(x primary key, y) without rowid')
c.execute("insert into u select 'k' || a, b from t")
c.execute('drop table t')
c.execute('vacuum')
c.execute('alter table u add column z default 7')
c.execute('create table t(a integer primary key, b)')
c.execute('insert into t(b) values(zeroblob(3000000))')
c.execute('delete from t')
c.execute('insert into t(b) values(1)')
`);
    await proven("VACUUM, schema changes, and a database that shrinks and grows", 1 + 300 + 12);

    database.python(`
import subprocess
code = '''import sqlite3,sys,os
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
for i in range(200): c.execute('insert into t(b) values(?)', (os.urandom(1000),))'''
[p.wait() for p in [subprocess.Popen([sys.executable, '-I', '-S', '-c', code, ${JSON.stringify(database.file)}]) for _ in range(2)]]
`);
    await proven("two writers at once", 400);

    database.python(`
c.execute('pragma synchronous=normal')
for i in range(2000): c.execute('insert into t(b) values(?)', (os.urandom(300),))
`);
    await proven("a writer that keeps no pause", 2000);
    expect(database.messages).toEqual([]);
  });

  test.each([512, 8192, 65536])("pages of %i bytes", async (pageSize) => {
    const database = await following(`c.execute('pragma page_size=${pageSize}')\n${SETUP}`);
    database.python(`
for i in range(40): c.execute('insert into t values(?,?)', (i, os.urandom(i * 700)))
c.execute('delete from t where a > 20')
c.execute('vacuum')
c.execute('insert into t values(100, ?)', (os.urandom(200000),))
`);
    expect(await database.prove()).toBe(43);
  });

  test.each(["full", "incremental"])("auto_vacuum=%s", async (mode) => {
    const database = await following(`c.execute('pragma auto_vacuum=${mode}')\n${SETUP}`);
    database.python(`
for i in range(100): c.execute('insert into t values(?,?)', (i, os.urandom(9000)))
c.execute('delete from t where a < 80')
c.execute('pragma incremental_vacuum(50)').fetchall()
for i in range(100, 140): c.execute('insert into t values(?,?)', (i, os.urandom(9000)))
c.execute('begin'); c.execute('insert into t(b) values(?)', (os.urandom(500000),)); c.execute('delete from t where a < 130'); c.execute('commit')
`);
    await database.prove();
  });
});

describe("where a database begins", () => {
  test("a missing file is created, in WAL mode, and said so", async () => {
    const database = new CapturedDatabase();
    await database.start();
    database.keepStart();
    database.python(SETUP);
    expect(await database.prove()).toBe(1);
    expect(database.messages).toEqual([`${database.file} was created, in WAL mode`]);
  });

  test("an empty file", async () => {
    const database = new CapturedDatabase();
    execFileSync("touch", [database.file]);
    await database.start();
    database.keepStart();
    database.python(SETUP);
    expect(await database.prove()).toBe(1);
    expect(database.messages).toEqual([`${database.file} was created, in WAL mode`]);
  });

  test("a database with a rollback journal is switched, and says so", async () => {
    const database = new CapturedDatabase();
    database.python("c.execute('create table t(a)')");
    await database.start();
    database.keepStart();
    database.python("c.execute('insert into t values(1)')");
    expect(await database.prove()).toBe(1);
    expect(database.messages).toEqual([`${database.file} was switched to WAL mode`]);
  });

  test("a WAL that is full of commits when Tailrace comes", async () => {
    const database = new CapturedDatabase();
    database.python(SETUP);
    const writer = "for i in range(10): c.execute('insert into t(b) values(1)')\nos._exit(0)";
    database.python(writer);
    await database.start();
    await database.capture.checkpoint();
    database.keepStart();
    database.python(writer);
    expect(await database.prove()).toBe(10);
  });
});

describe("stopped and started again", () => {
  test("logs nothing where nothing was written, one difference where the WAL has forgotten, and makes a lost page table anew", async () => {
    const database = await following();
    database.python("for i in range(100): c.execute('insert into t(b) values(?)', (os.urandom(2000),))");
    await database.stop();
    await database.start();
    expect(await database.prove()).toBe(100);
    expect(database.messages).toEqual([]);

    await database.stop();
    database.python(
      "c.execute('update t set b = 1 where a = 50')\nc.execute('delete from t where a > 60')\nc.execute('vacuum')",
    );
    await database.start();
    expect(await database.prove()).toBe(101);
    expect(database.fragments().at(-1)?.isDifference).toBe(true);
    expect(database.messages.join()).toContain("changed while Tailrace was away");

    await database.capture.snapshot();
    database.python("c.execute('delete from t where a > 10')");
    await database.stop();
    database.python("c.execute('insert into t(b) values(7)')");
    execFileSync("rm", [`${database.dataDir}/pages.sum`]);
    await database.start();
    expect(await database.prove()).toBe(103);
  });

  test("commits that the database lost are put back from the log, as one commit", async () => {
    const database = await following();
    database.python("for i in range(20): c.execute('insert into t(b) values(?)', (os.urandom(2000),))");
    await database.capture.durable();
    await database.capture.checkpoint();
    execFileSync("cp", [database.file, `${database.file}.lost`]);
    database.python("for i in range(30): c.execute('insert into t(b) values(?)', (os.urandom(2000),))");
    await database.capture.durable();
    const copies = `cp -r ${database.dataDir} ${database.file}.data`;
    execFileSync("sh", ["-c", copies]);
    await database.stop();
    // As after a loss of power: the file as of the last checkpoint, no WAL, and the log with all that was acknowledged.
    execFileSync("sh", [
      "-c",
      `cat ${database.file}.lost > ${database.file} && rm -rf ${database.dataDir} && mv ${database.file}.data ${database.dataDir}`,
    ]);
    await database.start();
    expect(database.messages).toEqual([
      "the database had lost its newest 30 transactions; they were put back from the log",
    ]);
    expect(database.shell("select count(*) from t").trim()).toBe("50");
    expect(await database.prove()).toBe(50);
  });
});

describe("another database", () => {
  test("at the path, while Tailrace runs: a new log, and a message", async () => {
    const database = await following();
    database.python("c.execute('insert into t(b) values(1)')");
    await database.capture.durable();
    const before = await database.status();
    const other = new CapturedDatabase({});
    other.python("c.execute('pragma journal_mode=wal')\nc.execute('create table other(x)')");
    execFileSync("sh", [
      "-c",
      `rm ${database.file}-wal ${database.file}-shm; mv ${other.file} ${database.file}`,
    ]);
    await expect
      .poll(async () => (await database.status().catch(() => before)).log.logId, {
        timeout: 10_000,
        interval: 50,
      })
      .not.toBe(before.log.logId);
    database.keepStart();
    database.python("c.execute('insert into other values(1)')");
    expect(await database.prove()).toBe(1);
    expect(database.messages.join()).toContain("a new log begins");
  });

  test("what is committed to the new file is not called durable for what the log has of the old one", async () => {
    const database = await following();
    const other = new CapturedDatabase({});
    other.python("c.execute('pragma journal_mode=wal')\nc.execute('create table other(x)')");
    for (let round = 0; round < 3; round++) {
      database.python(
        "c.execute('create table if not exists more(x)'); c.execute('insert into more values(1)')",
      );
      await database.capture.durable();
      const { logId } = (await database.status()).log;
      execFileSync("sh", [
        "-c",
        `cp ${other.file} ${other.file}.new; rm -f ${database.file}-wal ${database.file}-shm; mv ${other.file}.new ${database.file}`,
      ]);
      await expect(database.capture.durable()).rejects.toMatchObject({ code: "not_ready", retryable: true });
      await expect
        .poll(async () => (await database.status().catch(() => undefined))?.log.logId ?? logId, {
          timeout: 10_000,
          interval: 20,
        })
        .not.toBe(logId);
    }
  });

  test("while Tailrace was stopped", async () => {
    const database = await following();
    database.python("c.execute('insert into t(b) values(1)')");
    await database.stop();
    const other = new CapturedDatabase({});
    other.python("c.execute('pragma journal_mode=wal')\nc.execute('create table other(x)')");
    execFileSync("mv", [other.file, database.file]);
    database.keepStart();
    await database.start();
    database.python("c.execute('insert into other values(1)')");
    expect(await database.prove()).toBe(1);
    expect(database.messages.join()).toContain("replaced by another");
  });
});
