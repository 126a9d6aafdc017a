import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { openCapture } from "../test/harness/open-capture.ts";

const INSERT = "c.execute('insert into t(b) values(?)', (os.urandom(5_000_000),))\n";

test("a page table that rots while the node runs ends the capture before a record says what is not so; the next start makes it anew", async () => {
  const outside = new CapturedDatabase();
  outside.python(
    `c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n${INSERT}`,
  );
  (await openCapture(outside)).close();
  const { capture, close } = await openCapture(outside);
  const path = join(outside.dataDir, "pages.sum");
  const rotten = readFileSync(path);
  // Of page 600.
  rotten[4096 + 599 * 8]! ^= 1;
  writeFileSync(path, rotten);
  const before = capture.log.headTxid;
  outside.python(`c.execute('delete from t')\n${INSERT}`);
  for (let times = 0; times < 2; times++)
    expect(() => capture.captureAll()).toThrow(
      expect.objectContaining({ code: "damaged", retryable: false }),
    );
  expect(capture.log.headTxid).toBeLessThanOrEqual(before + 1);
  close();

  const again = await openCapture(outside);
  expect(again.capture.captureAll()).toBe("end");
  const { log, table } = again.capture;
  expect([log.headChecksum, table.recompute()]).toEqual([table.checksum, table.checksum]);
  again.close();
});
