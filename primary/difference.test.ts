import { execFileSync } from "node:child_process";
import { describe, expect, onTestFinished, test } from "vitest";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { WalAppender } from "../shared/sqlite/wal-appender.ts";
import { hashPage } from "../shared/format/page-hash.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { openCapture } from "../test/harness/open-capture.ts";
import { attachDatabase } from "./attached-database.ts";
import type { Capture } from "./capture.ts";

const INSERT = "for i in range(30): c.execute('insert into t(b) values(?)', (os.urandom(900),))";
const LARGE = "c.execute('insert into t(b) values(?)', (os.urandom(3_000_000),))\n";
/** Of 4 KiB: more than are compared at once, and fewer than in {@link LARGE}. */
const SLICE_PAGES = 600;

async function captureOf(outside: CapturedDatabase, said: string[] = []): Promise<Capture> {
  const { capture, close } = await openCapture(outside, {
    durability: "os",
    say: (text) => said.push(text),
  });
  onTestFinished(close);
  return capture;
}

function prepared(): CapturedDatabase {
  const outside = new CapturedDatabase();
  outside.python(
    "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n" + INSERT,
  );
  outside.keepStart();
  return outside;
}

test("after a gap, what differs is logged as one transaction, and the capture goes on from there", async () => {
  const outside = prepared();
  const said: string[] = [];
  const capture = await captureOf(outside, said);
  outside.python(INSERT);
  expect(capture.captureAll()).toBe("end");
  expect(capture.log.headTxid).toBe(30);

  capture.declareGap("this test says so");
  outside.python(
    "c.execute('update t set b = 1 where a = 7')\nc.execute('delete from t where a > 40')\nc.execute('vacuum')",
  );
  expect(capture.captureAll()).toBe("missed");
  expect(capture.openView()).toBeUndefined();
  await capture.captureDifference();
  expect(capture.log.headTxid).toBe(31);
  expect(capture.log.headChecksum).toBe(capture.table.checksum);
  expect(capture.table.checksum).toBe(capture.table.recompute());
  expect(said.join()).toContain("this test says so");

  outside.python(INSERT);
  expect(capture.captureAll()).toBe("end");
  expect(capture.log.headTxid).toBe(61);
});

test("a gap in which nothing happened logs nothing", async () => {
  const capture = await captureOf(prepared());
  capture.declareGap("this test says so");
  await capture.captureDifference();
  expect(capture.log.headTxid).toBe(0);
  expect(capture.captureAll()).toBe("end");
});

test("after an error, the table is taken back to the log, and nothing is recorded twice or never", async () => {
  const outside = prepared();
  const capture = await captureOf(outside);
  outside.python(
    "c.execute('begin')\nfor i in range(1500): c.execute('insert into t(b) values(?)', (os.urandom(3000),))\nc.execute('commit')",
  );
  // Part of the transaction is in the table, and in the log's file.
  expect(capture.capture(1 << 20)).toBe("more");
  expect(capture.capture(1 << 20)).toBe("more");
  capture.recover();
  expect(capture.table.checksum).toBe(capture.log.headChecksum);
  expect(capture.captureAll()).toBe("end");
  expect(capture.log.headTxid).toBe(1);
  expect(capture.table.checksum).toBe(capture.table.recompute());
});

test("what is marked as durable while a transaction is half recorded serves the next start, whatever comes then", async () => {
  const outside = new CapturedDatabase();
  // Stands for the application that stays: the WAL outlasts the capture.
  const { connection } = attachDatabase(driver, outside.file);
  onTestFinished(() => connection.close());
  connection.exec("CREATE TABLE t(b)");
  const { capture: first, close } = await openCapture(outside);
  connection.exec("INSERT INTO t VALUES(zeroblob(3000000))");
  expect(first.captureAll()).toBe("end");
  const durable = { txid: first.log.headTxid, cursor: first.log.end };
  connection.exec("UPDATE t SET b = randomblob(3000000)");
  expect(first.capture(1 << 20)).toBe("more");
  first.markDurable(durable);
  // As a kill leaves it: the table as it is on disk, and a record that is not whole.
  close();
  const said: string[] = [];
  const capture = await captureOf(outside, said);
  expect(capture.captureAll()).toBe("end");
  expect(said).toEqual([]);
  expect(capture.meta.logId).toBe(first.meta.logId);
  expect(capture.log.headTxid).toBe(2);
  expect(capture.table.checksum).toBe(capture.table.recompute());
});

test("pages that a transaction adds without writing them are in its record", async () => {
  const outside = prepared();
  const capture = await captureOf(outside);
  const before = capture.table.pageCount;
  const first = execFileSync("head", ["-c", "4096", outside.file]);
  const appender = new WalAppender({ driver, file: outside.file });
  appender.begin();
  appender.append(1, first);
  appender.commit({ databasePageCount: before + 3, isDurable: false });
  appender.close();
  expect(capture.captureAll()).toBe("end");
  expect(capture.table.pageCount).toBe(before + 3);
  const zeros = Buffer.alloc(4096);
  for (const page of [before + 1, before + 2, before + 3]) {
    expect(capture.table.get(page)).toBe(hashPage(page, zeros));
  }
  expect(outside.fragments().at(-1)?.pageNumbers).toEqual([1, before + 1, before + 2, before + 3]);
});

/** What is being compared in several slices, while somebody writes after the first of them. */
async function comparedMeanwhile(opening: Promise<Capture>, outside: CapturedDatabase): Promise<Capture> {
  outside.python(INSERT);
  const capture = await opening;
  expect(capture.comparedPages).toBeGreaterThan(SLICE_PAGES);
  return capture;
}

describe("a WAL that a writer begins anew is not lost track of", () => {
  test("while the first comparison runs: it is the only one", async () => {
    const outside = prepared();
    outside.python(LARGE);
    const { capture: first, close } = await openCapture(outside);
    first.captureAll();
    close();
    outside.python(LARGE);
    const capture = await comparedMeanwhile(captureOf(outside), outside);
    expect(capture.captureAll()).toBe("end");
    expect(capture.log.headTxid).toBe(1 + 30);
    expect(capture.table.checksum).toBe(capture.table.recompute());
  });

  test("while a new log is begun", async () => {
    const outside = prepared();
    outside.python(LARGE);
    const capture = await comparedMeanwhile(captureOf(outside), outside);
    expect(capture.captureAll()).toBe("end");
    expect(capture.log.headTxid).toBe(30);
  });

  test("right after a start that had nothing to compare", async () => {
    const outside = prepared();
    // Stands for the application that stays.
    const application = attachDatabase(driver, outside.file);
    onTestFinished(() => application.connection.close());
    const { capture: first, close } = await openCapture(outside);
    outside.python(INSERT);
    first.captureAll();
    close();
    outside.python("c.execute('pragma wal_checkpoint')");
    const capture = await captureOf(outside);
    expect(capture.comparedPages).toBe(0);
    expect(capture.captureAll()).toBe("end");
    outside.python(INSERT);
    expect(capture.captureAll()).toBe("end");
    expect(capture.log.headTxid).toBe(60);
  });
});
