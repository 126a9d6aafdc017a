import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SourceDatabase, readCommits } from "../../test/harness/source-database.ts";
import type { PageCommit } from "../../test/harness/source-database.ts";
import { CREATE_SPREAD, STEP_SPREAD, Watcher } from "../../test/harness/watcher.ts";
import { salt1 } from "../format/wal.ts";
import { lockPage } from "../units.ts";
import { driver as betterSqlite3 } from "./better-sqlite3.ts";
import type { Connection, Driver } from "./driver.ts";
import { driver as nodeSqlite } from "./node-sqlite.ts";
import { WalAppender } from "./wal-appender.ts";

const FILL = `
  CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB);
  CREATE INDEX t_body ON t(substr(body, 1, 8));
  WITH RECURSIVE i(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM i WHERE id < 500)
    INSERT INTO t SELECT id, randomblob(200) FROM i`;

let folder: string;
let source: SourceDatabase;
let target: string;
const opened: { close(): void }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tailrace-append-"));
  target = join(folder, "target.db");
});
afterEach(() => {
  for (const one of opened.splice(0).toReversed()) one.close();
  rmSync(folder, { recursive: true });
});

/** A source with the given content, a copy of it as the target, and an appender on the copy. */
function begin(driver: Driver, sql: string, pageSizeBytes = 4096): WalAppender {
  source = new SourceDatabase(driver, join(folder, "source.db"), pageSizeBytes);
  opened.push(source);
  source.exec(sql);
  source.copyTo(target);
  return openAppender(driver);
}

function openAppender(driver: Driver): WalAppender {
  const appender = new WalAppender({ driver, file: target });
  opened.push(appender);
  return appender;
}

function connect(driver: Driver): Connection {
  const connection = driver.open(target);
  connection.exec("PRAGMA wal_autocheckpoint=0");
  opened.push(connection);
  return connection;
}

function appendPages(appender: WalAppender, { pages }: PageCommit): void {
  for (const { pageNumber, image } of pages) appender.append(pageNumber, image);
}

function apply(appender: WalAppender, commits: readonly PageCommit[] = source.commits()): void {
  for (const commit of commits) {
    appender.begin();
    appendPages(appender, commit);
    appender.commit({ databasePageCount: commit.databasePageCount, isDurable: false });
  }
}

function shell(sql: string): string {
  return execFileSync("sqlite3", [target, sql], { encoding: "utf8" }).trim();
}

/** What a query finds after a crash at this moment: in a copy of database and -wal, without the wal-index. */
function recoveredCopy(sql: string): string {
  const copy = join(folder, "copy.db");
  for (const suffix of ["", "-wal"]) execFileSync("cp", [target + suffix, copy + suffix]);
  return execFileSync("sqlite3", [copy, sql], { encoding: "utf8" }).trim();
}

function failWrite(): never {
  throw new Error("disk full");
}

function expectSameFile(appender: WalAppender): void {
  expect(shell("PRAGMA integrity_check")).toBe("ok");
  expect(appender.restartWal()).toBe(true);
  source.settle();
  expect(spawnSync("cmp", [source.file, target], { encoding: "utf8" })).toMatchObject({
    status: 0,
    stdout: "",
  });
}

describe.each([nodeSqlite, betterSqlite3])("with $name", (driver) => {
  test.each([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])(
    "pages of %i bytes: what SQL committed at the source is committed at the target, to the byte",
    (pageSizeBytes) => {
      const appender = begin(driver, FILL, pageSizeBytes);
      expect(appender.pageSizeBytes).toBe(pageSizeBytes);
      source.exec("UPDATE t SET body = randomblob(300) WHERE id % 3 = 0");
      source.exec("DELETE FROM t WHERE id % 2 = 0");
      source.exec(
        "CREATE TABLE u(a TEXT PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO u SELECT hex(body), id FROM t",
      );
      apply(appender);
      expect(shell("SELECT count(*), sum(id) FROM t")).toBe(
        source.connection.row("SELECT count(*) || '|' || sum(id) FROM t")?.[0],
      );
      source.exec("DROP TABLE u; DELETE FROM t WHERE id > 20; VACUUM");
      apply(appender);
      expectSameFile(appender);
    },
  );

  test("a transaction of 70,000 frames, over 18 blocks of the wal-index, lands as one commit", () => {
    const appender = begin(driver, "CREATE TABLE t(body)", 512);
    source.exec(
      "BEGIN; INSERT INTO t VALUES(zeroblob(34000000)); UPDATE t SET body = randomblob(34000000); COMMIT",
    );
    const commits = source.commits();
    expect(commits).toHaveLength(1);
    const reader = connect(driver);
    reader.exec("BEGIN");
    expect(reader.row("SELECT count(*) FROM t")).toEqual([0]);
    apply(appender, commits);
    expect(appender.header.mxFrame).toBeGreaterThan(65536);
    expect(reader.row("SELECT count(*) FROM t")).toEqual([0]);
    reader.exec("COMMIT");
    expect(reader.row("SELECT count(*) FROM t")).toEqual([1]);
    expectSameFile(appender);
  });

  test("commits that fill blocks of the wal-index little by little are all found", () => {
    const appender = begin(driver, FILL, 512);
    while (appender.header.mxFrame < 9000) {
      source.exec("UPDATE t SET body = randomblob(200) WHERE id BETWEEN 100 AND 250");
      apply(appender);
    }
    expectSameFile(appender);
  });

  test("a page that comes twice in one commit has its later image", () => {
    const appender = begin(driver, "CREATE TABLE t(n); INSERT INTO t VALUES(0)");
    for (let n = 0; n < 3; n++) source.exec("UPDATE t SET n = n + 1");
    const commits = source.commits();
    appender.begin();
    for (const commit of commits) appendPages(appender, commit);
    appender.commit({ databasePageCount: commits.at(-1)?.databasePageCount ?? 0, isDurable: true });
    expect(shell("SELECT n FROM t")).toBe("3");
    expectSameFile(appender);
  });

  test("a reader keeps its snapshot over commits, a checkpoint and a restart that it holds back", () => {
    const appender = begin(driver, CREATE_SPREAD);
    const reader = connect(driver);
    source.exec(STEP_SPREAD);
    apply(appender);
    reader.exec("BEGIN");
    expect(reader.row("SELECT min(n), max(n) FROM spread")).toEqual([1, 1]);
    source.exec(STEP_SPREAD);
    apply(appender);
    expect(appender.restartWal()).toBe(false);
    source.exec(STEP_SPREAD);
    apply(appender);
    expect(reader.row("SELECT min(n), max(n) FROM spread")).toEqual([1, 1]);
    reader.exec("COMMIT");
    expect(reader.row("SELECT min(n), max(n) FROM spread")).toEqual([3, 3]);
    expectSameFile(appender);
  });

  test("an aborted commit is never seen, and the next one takes its place", () => {
    const appender = begin(driver, CREATE_SPREAD, 512);
    source.exec(STEP_SPREAD);
    apply(appender);
    const before = appender.header;
    source.exec("CREATE TABLE big(body); INSERT INTO big VALUES(randomblob(6000000))"); // over two blocks
    const [created, filled] = source.commits() as [PageCommit, PageCommit];
    for (const commit of [filled, created]) {
      appender.begin();
      appendPages(appender, commit);
      appender.abort();
      appender.abort();
      expect(appender.index.read().header).toEqual(before);
    }
    apply(appender, [created, filled]);
    expectSameFile(appender);
  });

  test("when what is to be written down before cannot be, nothing is published, and recovery finds no commit", () => {
    const appender = begin(driver, CREATE_SPREAD);
    source.exec(STEP_SPREAD);
    const [commit] = source.commits() as [PageCommit];
    const before = appender.begin();
    appendPages(appender, commit);
    expect(() => appender.commit({ ...commit, isDurable: false, beforePublish: failWrite })).toThrow(
      "disk full",
    );
    expect(statSync(`${target}-wal`).size).toBe(0);
    appender.abort();
    expect(appender.index.read().header).toEqual(before);
    apply(appender, [commit]);
    expectSameFile(appender);
  });

  test("a commit that fails after its frames are in the file is not brought back by a recovery", () => {
    const appender = begin(driver, CREATE_SPREAD);
    source.exec(STEP_SPREAD);
    const [commit] = source.commits() as [PageCommit];
    vi.spyOn(appender.index, "writeBlock").mockImplementationOnce(failWrite);
    expect(() => apply(appender, [commit])).toThrow("disk full");
    expect(recoveredCopy("SELECT min(n), max(n) FROM spread")).toBe("1|1"); // the danger
    appender.abort();
    expect(recoveredCopy("SELECT min(n), max(n) FROM spread")).toBe("0|0");
    apply(appender, [commit]);
    expectSameFile(appender);
  });

  test("the intended header is told before a crash can make the commit visible, and is the one that then stands", () => {
    const appender = begin(driver, CREATE_SPREAD);
    source.exec(STEP_SPREAD);
    const [commit] = source.commits() as [PageCommit];
    const found = appender.begin();
    appendPages(appender, commit);
    let sizeBytes = -1;
    let intended: unknown;
    const left = appender.commit({
      ...commit,
      isDurable: true,
      beforePublish: (header) => {
        intended = header;
        sizeBytes = statSync(`${target}-wal`).size;
      },
    });
    expect(sizeBytes).toBe(0);
    expect(left).toEqual(intended);
    expect(left).toMatchObject({ change: found.change + 1, mxFrame: found.mxFrame + commit.pages.length });
    expect(appender.index.read().header).toEqual(left);
  });

  test("another writer makes begin fail at once, and afterwards shows in the header found", () => {
    const appender = begin(driver, CREATE_SPREAD);
    const writer = connect(driver);
    writer.exec("BEGIN IMMEDIATE; UPDATE spread SET n = 7");
    const beginNow = (): unknown => appender.begin();
    expect(beginNow).toThrow(expect.objectContaining({ code: "database_busy", retryable: true }));
    writer.exec("COMMIT");
    const left = appender.header;
    expect(appender.begin()).toMatchObject({ change: left.change + 1 });
    appender.abort();
  });

  test("hand-made and SQL commits, also interrupted ones, take turns on one file", () => {
    const appender = begin(driver, CREATE_SPREAD, 512);
    const writer = connect(driver);
    writer.exec("PRAGMA cache_size=5"); // spills frames of open transactions into the WAL and its index
    for (let round = 0; round < 4; round++) {
      source.exec(STEP_SPREAD);
      apply(appender);
      writer.exec(`BEGIN; ${STEP_SPREAD}; CREATE TABLE x AS SELECT randomblob(1000000); ROLLBACK`);
      expect(writer.row("SELECT min(n), max(n) FROM spread")).toEqual([round + 1, round + 1]);
    }
    expectSameFile(appender);
    writer.exec("UPDATE spread SET n = 100");
    expect(shell("PRAGMA integrity_check; SELECT min(n) FROM spread")).toBe("ok\n100");
  });

  test("a hand-made commit after one of SQL keeps what that one wrote", () => {
    const appender = begin(driver, CREATE_SPREAD);
    source.exec(STEP_SPREAD);
    apply(appender);
    const writer = connect(driver);
    writer.exec("UPDATE spread SET n = 50");
    const change = appender.index.read().header.change;
    // A page as it stands: a commit that changes nothing.
    const [last] = readCommits(target).slice(-1) as [PageCommit];
    apply(appender, [{ ...last, pages: last.pages.slice(-1) }]);
    expect(appender.header.change).toBe(change + 1);
    const state = "PRAGMA integrity_check; SELECT min(n), max(n) FROM spread";
    expect(shell(state)).toBe("ok\n50|50");
    expect(recoveredCopy(state)).toBe("ok\n50|50");
    writer.exec("UPDATE spread SET n = 51");
    expect(shell(state)).toBe("ok\n51|51");
  });

  test.each([500, 5000])(
    "aborted commits of %i pages, however many, leave no trace in the wal-index",
    (pages) => {
      const appender = begin(driver, CREATE_SPREAD, 512);
      source.exec(STEP_SPREAD);
      apply(appender);
      const image = Buffer.alloc(512, 0xee);
      for (let round = 0; round < 20; round++) {
        appender.begin();
        for (let page = 1; page <= pages; page++) appender.append(page, image);
        appender.abort();
      }
      source.exec(STEP_SPREAD);
      apply(appender);
      expect(shell("SELECT min(n), max(n) FROM spread")).toBe("2|2");
      expectSameFile(appender);
    },
  );

  test("a restarted WAL begins anew with salts one higher; the change counter goes on", () => {
    const appender = begin(driver, CREATE_SPREAD);
    source.exec(STEP_SPREAD);
    apply(appender);
    const before = appender.header;
    expect(appender.frameCount).toBe(before.mxFrame);
    expect(appender.restartWal()).toBe(true);
    expect(appender.frameCount).toBe(0);
    source.exec(STEP_SPREAD);
    const [first, second] = source.commits() as [PageCommit, PageCommit | undefined];
    expect(second).toBe(undefined);
    const found = appender.begin();
    expect(found).toMatchObject({ mxFrame: 0, change: before.change });
    expect(salt1(found.salts)).toBe((salt1(before.salts) + 1) >>> 0);
    appendPages(appender, first);
    expect(appender.commit({ ...first, isDurable: false })).toMatchObject({
      mxFrame: first.pages.length,
      salts: found.salts,
    });
    expect(appender.frameCount).toBe(first.pages.length);
    expect(shell("SELECT min(n), max(n) FROM spread")).toBe("2|2");
    expectSameFile(appender);
  });

  test("after a crash of everybody, recovery finds the last commit", () => {
    const appender = begin(driver, CREATE_SPREAD);
    for (let n = 0; n < 5; n++) source.exec(STEP_SPREAD);
    apply(appender);
    expect(recoveredCopy("PRAGMA integrity_check; SELECT min(n), max(n) FROM spread")).toBe("ok\n5|5");
  });
});

test("Python and the shell read a moving database: never a torn read, never a step back", async () => {
  const appender = begin(nodeSqlite, CREATE_SPREAD);
  const watchers = [await Watcher.start(target), await Watcher.start(target)];
  for (let n = 1; n <= 400; n++) {
    source.exec(STEP_SPREAD);
    if (n % 40 === 0) source.exec("VACUUM");
    apply(appender);
    if (n % 100 === 0) {
      expect(shell("PRAGMA integrity_check; SELECT min(n), max(n) FROM spread")).toBe(`ok\n${n}|${n}`);
      source.settle();
      appender.restartWal();
    }
  }
  for (const watcher of watchers) {
    const watched = await watcher.stop();
    expect(watched).toMatchObject({ problem: null, last: 400 });
    expect(watched.states).toBeGreaterThan(5);
  }
  expectSameFile(appender);
});

test("what no caller may do is refused before it does harm", () => {
  const appender = begin(nodeSqlite, CREATE_SPREAD);
  const image = Buffer.alloc(4096);
  expect(() => appender.append(1, image)).toThrow("within a transaction");
  appender.begin();
  expect(() => appender.begin()).toThrow("idle");
  expect(() => appender.append(0, image)).toThrow("page 0");
  expect(() => appender.append(lockPage(4096), image)).toThrow("page 262145");
  expect(() => appender.append(1, image.subarray(1))).toThrow("4096 bytes");
  expect(() => appender.commit({ databasePageCount: 1, isDurable: false })).toThrow("at least one page");
  appender.abort();
  expect(shell("PRAGMA integrity_check")).toBe("ok");
});

test("a database that is not in WAL mode is refused", () => {
  execFileSync("sqlite3", [target, "CREATE TABLE t(a)"]);
  const open = (): unknown => new WalAppender({ driver: nodeSqlite, file: target });
  expect(open).toThrow(expect.objectContaining({ code: "invalid_request", hint: "PRAGMA journal_mode=WAL" }));
});
