import { execFileSync } from "node:child_process";
import { crc32 } from "node:zlib";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { SEGMENT_HEADER_BYTES } from "../shared/format/segment.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { temporaryFolder } from "../test/harness/folder.ts";

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";
const INSERT = "for i in range(60): c.execute('insert into t(b) values(?)', (os.urandom(3000),))";

const OPTIONS = { segmentSizeBytes: 65_536 };
/** What a primary left when it was stopped; each test has its own copy. */
let left: { readonly folder: string; readonly logId: string } | undefined;
afterAll(() => rmSync(left!.folder, { recursive: true, force: true }));

/** Stopped, with a log of several segments. */
async function stopped(): Promise<{ database: CapturedDatabase; logId: string; logFolder: string }> {
  left ??= await makeAndStop();
  const folder = temporaryFolder();
  execFileSync("cp", ["-a", `${left.folder}/.`, folder]);
  const database = new CapturedDatabase(OPTIONS, folder);
  return { database, logId: left.logId, logFolder: join(database.dataDir, "log") };
}

async function makeAndStop(): Promise<NonNullable<typeof left>> {
  const folder = mkdtempSync(join(tmpdir(), "tailrace-damaged-log-"));
  const database = new CapturedDatabase(OPTIONS, folder);
  database.python(SETUP);
  await database.start();
  database.python(INSERT);
  await database.capture.durable();
  await database.capture.snapshot();
  const { logId } = (await database.status()).log;
  await database.stop();
  return { folder, logId };
}

/** Started again, a new log begins; it is followed to its end. */
async function goesOnWithNewLog(database: CapturedDatabase, oldLogId: string): Promise<void> {
  database.keepStart();
  await database.start();
  expect((await database.status()).log.logId).not.toBe(oldLogId);
  database.python(INSERT);
  expect(await database.prove()).toBe(60);
  // A replica that begins now gets a snapshot of the new log, not the old one that is still there.
  expect((await database.capture.snapshot()).txid).toBe(60);
}

test("a flipped bit in a sealed segment: said with its place, the log is set aside, and a new one begins", async () => {
  const { database, logId, logFolder } = await stopped();
  const path = join(logFolder, "0000000000000002.log");
  const bytes = readFileSync(path);
  bytes[20_000]! ^= 1;
  writeFileSync(path, bytes);
  const log = readdirSync(logFolder);

  await goesOnWithNewLog(database, logId);
  const message = database.messages.find((text) => text.includes("a new log begins"));
  expect(message).toMatch(/a new log begins, because log segment 2 is damaged at offset \d+/);
  const offset = Number(/offset (\d+)/.exec(message!)?.[1]);
  expect(offset).toBeGreaterThan(20_000 - 16_384);
  expect(offset).toBeLessThanOrEqual(20_000);
  const setAside = join(database.dataDir, `log-set-aside-${logId}`);
  expect(message).toContain(setAside);
  expect(readdirSync(setAside)).toEqual(log);
  expect(readFileSync(join(setAside, "0000000000000002.log")).equals(bytes)).toBe(true);
});

test.each(["0000000000000001.log", "0000000000000002.log"])("segment %s is gone", async (name) => {
  const { database, logId, logFolder } = await stopped();
  rmSync(join(logFolder, name));
  if (name.startsWith("0000000000000001")) {
    // As if by retention; but the page table and the snapshot know better, and nothing that is left contradicts.
    await database.start();
    expect((await database.status()).log.logId).toBe(logId);
  } else {
    await goesOnWithNewLog(database, logId);
    expect(database.messages.join()).toContain("log segment 2 is damaged at offset 0: the file is missing");
  }
});

test("the whole log is gone: the new one does not pass for the old one", async () => {
  const { database, logId, logFolder } = await stopped();
  rmSync(logFolder, { recursive: true });
  await goesOnWithNewLog(database, logId);
  expect(database.messages.join()).toContain("its segments are gone");
});

test("a segment of a later format: refused by name, and nothing is changed", async () => {
  const { database, logFolder } = await stopped();
  const path = join(logFolder, "0000000000000002.log");
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(2, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 76)), 76);
  writeFileSync(path, bytes);
  await refusedUnchanged(database, /segment format version 2, this build reads 1/);
});

test("a snapshot of a later format: refused by name, and nothing is changed", async () => {
  const { database } = await stopped();
  const path = join(database.dataDir, "snapshots", "00000001.json");
  writeFileSync(path, readFileSync(path, "utf8").replace('"formatVersion": 1', '"formatVersion": 7'));
  await refusedUnchanged(database, /00000001\.json has format version 7, this build reads 1/);
});

async function refusedUnchanged(database: CapturedDatabase, message: RegExp): Promise<void> {
  const before = digest(database);
  await expect(database.start()).rejects.toMatchObject({
    code: "unknown_version",
    message: expect.stringMatching(message),
  });
  expect(digest(database)).toBe(before);
  expect(existsSync(join(database.dataDir, "log"))).toBe(true);
}

function digest({ file, dataDir }: CapturedDatabase): string {
  const command = `find ${dataDir} ${file} -type f ! -name 'lock.db*' | sort | xargs sha256sum`;
  return execFileSync("sh", ["-c", command], { encoding: "utf8" });
}

describe("power is lost while commits of one slice are on their way to the disk, and a later one gets there alone", () => {
  test("the log is cut where the first is missing; what was durable before is put back into the database", async () => {
    const { database, logId } = await powerLost("a".repeat(32), 20, 16);
    await database.start();
    expect((await database.status()).log.logId).toBe(logId);
    expect(database.messages.join("\n")).toContain("what the machine went down over");
    expect(database.messages.join("\n")).toContain("put back from the log");
    expect(database.python("print(c.execute('select count(*) from t').fetchone()[0])")).toBe("15\n");
    expect(await database.prove()).toBe(15);
  });

  test("without a loss of power the same is damage: what is behind it was acknowledged", async () => {
    const { database, logId } = await powerLost("b".repeat(32), 20, 16);
    await database.start();
    expect((await database.status()).log.logId).not.toBe(logId);
  });
});

/**
 * Stopped, with the files as a loss of power leaves them: of so many commits nothing in the database, for SQLite had not
 * synced its WAL, and all of them in the log, but for one whose sectors had not been written.
 *
 * @param bootId of the machine afterwards
 */
async function powerLost(
  bootId: string,
  commits: number,
  missing: number,
): Promise<{ database: CapturedDatabase; logId: string }> {
  const folder = temporaryFolder();
  const first = new CapturedDatabase({ durability: "commit", bootId: "b".repeat(32) }, folder);
  const { file, dataDir } = first;
  first.python(SETUP);
  first.keepStart();
  await first.start();
  first.python(`for i in range(${commits}): c.execute('insert into t(b) values(?)', (os.urandom(3000),))`);
  await first.capture.durable();
  const { logId } = (await first.status()).log;
  const ends: number[] = [];
  first.eachFragment(({ lengthBytes }) => ends.push((ends.at(-1) ?? SEGMENT_HEADER_BYTES) + lengthBytes));
  execFileSync("cp", ["-r", dataDir, `${dataDir}.kept`]);
  execFileSync("cp", [file, `${file}.kept`]);
  await first.stop();

  rmSync(dataDir, { recursive: true });
  execFileSync("mv", [`${dataDir}.kept`, dataDir]);
  // Into the file that is there: it is the same one after a loss of power.
  execFileSync("cp", [`${file}.kept`, file]);
  const segment = join(dataDir, "log", "0000000000000001.log");
  const bytes = readFileSync(segment);
  bytes.fill(0, ends[missing - 1]! - 1024, ends[missing - 1]! - 512);
  writeFileSync(segment, bytes);
  return { database: new CapturedDatabase({ durability: "commit", bootId }, folder), logId };
}
