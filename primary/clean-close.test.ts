import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DataFolder } from "../shared/storage/data-folder.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { openCapture } from "../test/harness/open-capture.ts";
import { leaveCleanClose } from "./clean-close.ts";

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";
const INSERT = "for i in range(30): c.execute('insert into t(b) values(?)', (os.urandom(2000),))\n";

/** Stopped, after 30 transactions, with nobody else connected. */
async function stopped(): Promise<CapturedDatabase> {
  const database = new CapturedDatabase();
  database.python(SETUP);
  database.keepStart();
  await database.start();
  database.python(INSERT);
  await database.capture.durable();
  await database.stop();
  return database;
}

const compared = async (database: CapturedDatabase): Promise<number> =>
  (await database.status()).comparedPagesAtStart;

test("stopped and started with nothing in between: no page is compared, again and again", async () => {
  const database = await stopped();
  for (const round of [1, 2, 3]) {
    await database.start();
    expect(await compared(database)).toBe(0);
    database.python(INSERT);
    expect((await database.capture.durable()).txid).toBe(30 + round * 30);
    await database.stop();
  }
  await database.start();
  await database.stop();
  await database.start();
  expect(await compared(database)).toBe(0);
  expect(await database.prove()).toBe(120);
  expect(database.messages).toEqual([]);
});

/** What somebody else may do to the file while Tailrace is away; each leaves it as long as it was. */
const FOREIGN_WRITES: readonly (readonly [string, (database: CapturedDatabase) => void])[] = [
  [
    "a commit, checkpointed",
    (database) => database.python("c.execute('update t set b = zeroblob(2000) where a = 9')"),
  ],
  [
    "a commit that stays in the WAL",
    (database) => database.python("c.execute('update t set b = zeroblob(2000) where a = 9')\nos._exit(0)"),
  ],
  [
    "a commit, with the time of modification set back",
    (database) => {
      const { atimeMs, mtimeMs } = statSync(database.file);
      database.python(
        `c.execute('update t set b = zeroblob(2000) where a = 9')\nc.close()\nos.utime(${JSON.stringify(database.file)}, (${atimeMs / 1000}, ${mtimeMs / 1000}))`,
      );
    },
  ],
];

test.each(FOREIGN_WRITES)("%s: found, and logged as a difference", async (_, write) => {
  const database = await stopped();
  const { size } = statSync(database.file);
  write(database);
  expect(statSync(database.file).size).toBe(size);
  await database.start();
  expect(await compared(database)).toBeGreaterThan(0);
  expect(await database.prove()).toBe(31);
  expect(database.fragments().at(-1)?.isDifference).toBe(true);
});

test("a backup that was put at the path right before the end is not what was followed, and not called so", async () => {
  const database = await stopped();
  const { capture, close } = await openCapture(database);
  const folder = { path: database.dataDir } as DataFolder;
  expect(await leaveCleanClose(capture, folder)).toBe(true);
  const note = join(database.dataDir, "clean-close.json");
  const before = readFileSync(note, "utf8");
  execFileSync("sh", [
    "-c",
    `cp ${database.file} ${database.file}.backup && mv ${database.file}.backup ${database.file}`,
  ]);
  expect(await leaveCleanClose(capture, folder)).toBe(false);
  expect(readFileSync(note, "utf8")).toBe(before);
  close();
});

test("moved, copied, or with a note that cannot be read: in doubt, all pages are compared", async () => {
  const database = await stopped();
  execFileSync("sh", [
    "-c",
    `cp -p ${database.file} ${database.file}.copy && mv ${database.file}.copy ${database.file}`,
  ]);
  await database.start();
  expect(await compared(database)).toBeGreaterThan(0);
  expect(database.messages).toEqual([]);
  await database.stop();

  const note = join(database.dataDir, "clean-close.json");
  writeFileSync(note, readFileSync(note, "utf8").replace('"formatVersion": 1', '"formatVersion": 2'));
  await database.start();
  expect(await compared(database)).toBeGreaterThan(0);
  await database.stop();
  rmSync(note);
  await database.start();
  expect(await compared(database)).toBeGreaterThan(0);
  expect(await database.prove()).toBe(30);
});

test("what cannot be read is no primary that was never closed: the start refuses, and nothing has changed", async () => {
  const database = await stopped();
  const path = join(database.dataDir, "clean-close.json");
  const kept = readFileSync(path);
  rmSync(path);
  mkdirSync(path);
  await expect(database.start()).rejects.toMatchObject({ code: "storage_failed" });
  rmdirSync(path);
  writeFileSync(path, kept);
  await database.start();
  expect(await compared(database)).toBe(0);
});
