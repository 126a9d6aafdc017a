import { execFileSync } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { WalAppender } from "../shared/sqlite/wal-appender.ts";
import { UNKNOWN_BOOT } from "../shared/storage/boot-id.ts";
import { DataFolder } from "../shared/storage/data-folder.ts";
import { hashPage } from "../shared/format/page-hash.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { attachDatabase } from "./attached-database.ts";
import { Capture } from "./capture.ts";

const INSERT = "for i in range(30): c.execute('insert into t(b) values(?)', (os.urandom(900),))";

async function captureOf(outside: CapturedDatabase, said: string[] = []): Promise<Capture> {
  const database = attachDatabase(driver, outside.file);
  const folder = DataFolder.open(outside.dataDir, driver);
  const capture = await Capture.open({
    database,
    folder,
    durability: "os",
    bootId: UNKNOWN_BOOT,
    segmentSizeBytes: 1 << 20,
    clock: () => 1_700_000_000_000,
    say: (text) => said.push(text),
    isNewDatabase: false,
  });
  onTestFinished(() => {
    capture.close();
    database.connection.close();
    folder.close();
  });
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
