import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { lockPage } from "../shared/units.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";

const PAGE_BYTES = 65_536;
const LOCK_PAGE = lockPage(PAGE_BYTES);

/** A database of almost 1 GiB that takes up almost nothing: its size is raised in the header, the pages are a hole. */
const MAKE = `
c.execute('pragma page_size=${PAGE_BYTES}')
c.execute('create table t(a integer primary key, b)')
c.execute('insert into t values(1, zeroblob(200000))')
c.close()
import struct
with open(sys.argv[1], 'r+b') as f:
    f.truncate(${(LOCK_PAGE - 4) * PAGE_BYTES})
    f.seek(28)
    f.write(struct.pack('>I', ${LOCK_PAGE - 4}))
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('pragma journal_mode=wal')
`;

test("a database that grows past 1 GiB: the page that SQLite keeps for its locks is in no record and no checksum", async () => {
  const database = new CapturedDatabase();
  database.python(`sys.argv.append(${JSON.stringify(database.file)})\n${MAKE}`);
  database.keepStart();
  await database.start();
  database.python("for i in range(10): c.execute('insert into t(b) values(?)', (os.urandom(200000),))");
  database.python("c.execute('update t set b = zeroblob(150000) where a = 5')");
  expect(await database.prove({ isSound: false })).toBe(11);
  expect((await database.status()).database.pageCount).toBeGreaterThan(LOCK_PAGE + 10);
  const written = database.fragments().flatMap(({ pageNumbers }) => pageNumbers);
  expect(written).toContain(LOCK_PAGE - 1);
  expect(written).not.toContain(LOCK_PAGE);
  expect(written).toContain(LOCK_PAGE + 1);
  expect((await database.status()).differences).toBe(0);

  const snapshot = await database.capture.snapshot();
  expect(snapshot.databaseChecksum).toBe((await database.status()).database.checksum);
  execFileSync("cmp", [
    "--ignore-initial",
    String((LOCK_PAGE - 10) * PAGE_BYTES),
    snapshot.file,
    database.file,
  ]);
});
