import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WAL_HEADER_BYTES, frameOffset } from "../format/wal.ts";
import { loadDriver } from "../sqlite/driver.ts";
import type { Connection, Driver, DriverName } from "../sqlite/driver.ts";
import { holdFile } from "../sqlite/held-files.ts";
import { WalIndexFile } from "../sqlite/wal-index-file.ts";
import { DatabaseView } from "./database-view.ts";

const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
const DRIVERS: readonly DriverName[] = ["node:sqlite", "better-sqlite3"];
let folder: string;
let file: string;
const connections: Connection[] = [];
const writers: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tailrace-view-"));
  file = join(folder, "app.db");
});
afterEach(async () => {
  for (const writer of writers.splice(0)) {
    writer.kill("SIGKILL");
    await once(writer, "exit");
  }
  for (const connection of connections.splice(0)) connection.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs Python in its own process, as any application would. `db` is a connection in WAL mode, in autocommit. */
function python(script: string, ...args: string[]): string {
  return execFileSync("python3", ["-I", "-S", "-c", `${PRELUDE}${script}`, file, ...args], {
    encoding: "utf8",
  });
}

const PRELUDE = `
import sqlite3, sys, random
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
`;

/** Creates the database without ever checkpointing: what a `-wal` grows to is up to the test. */
function create(pageSizeBytes = 4096, rows = 200): void {
  python(
    `
db.execute("PRAGMA page_size=${pageSizeBytes}")
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, filler BLOB)")
db.execute("BEGIN")
for i in range(${rows}): db.execute("INSERT INTO t VALUES (?, 0, randomblob(?))", (i, 100 + i * 7 % 900))
db.execute("COMMIT")
`,
  );
}

/** This process's own connection, so that neither `-wal` nor `-shm` go when another process closes. */
function attach(driver: Driver): Connection {
  const connection = driver.open(file);
  connections.push(connection);
  connection.exec("PRAGMA wal_autocheckpoint=0");
  connection.row("SELECT count(*) FROM sqlite_schema");
  return connection;
}

function openView(driver: Driver): DatabaseView {
  return DatabaseView.open({
    driver,
    file,
    databaseDescriptor: holdFile(file),
    index: new WalIndexFile(holdFile(`${file}-shm`)),
  });
}

function readAll(view: DatabaseView, runPages = 100): Buffer {
  const image = Buffer.alloc(view.pageCount * view.pageSizeBytes);
  for (let page = 1; page <= view.pageCount; page += runPages) {
    const count = Math.min(runPages, view.pageCount - page + 1);
    const start = (page - 1) * view.pageSizeBytes;
    view.readRun(page, count, image.subarray(start, start + count * view.pageSizeBytes));
  }
  return image;
}

/** The database file as it now stands, read by another process: opening it here would drop this process's locks. */
function fileBytes(): Buffer {
  return execFileSync("cat", [file], { maxBuffer: 1 << 30 });
}

/** What SQLite itself makes of the state: everything checkpointed into the file. */
function checkpointedBytes(): Buffer {
  python(`assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0`);
  return fileBytes();
}

/** Runs SQL on an image, put in a file of its own. */
function query(image: Buffer, sql: string): string {
  const copy = join(folder, "copy.db");
  writeFileSync(copy, image);
  const answer = execFileSync("sqlite3", [copy, sql], { encoding: "utf8" }).trim();
  for (const suffix of ["", "-wal", "-shm"]) rmSync(copy + suffix, { force: true });
  return answer;
}

/** A process that writes until it is killed. Resolves once it has committed for the first time. */
async function startWriter(script: string): Promise<ChildProcess> {
  const writer = spawn("python3", ["-u", "-c", `${PRELUDE}${script}`, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  writers.push(writer);
  await once(createInterface(writer.stdout), "line");
  return writer;
}

describe.each(DRIVERS)("with %s, a view reads", (name) => {
  test.each(PAGE_SIZES)("file and WAL together, byte for byte, at page size %i", async (pageSizeBytes) => {
    const driver = await loadDriver(name);
    create(pageSizeBytes);
    attach(driver);
    // Some pages only in the file, some in the file and newer in the WAL, some in the WAL alone.
    python(`
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("UPDATE t SET a = 1 WHERE id % 10 = 0")
db.execute("UPDATE t SET a = 2 WHERE id % 20 = 0")
db.execute("INSERT INTO t SELECT id + 1000, 3, randomblob(700) FROM t")
`);
    const view = openView(driver);
    expect(view.header.mxFrame).toBeGreaterThan(0);
    expect(view.pageSizeBytes).toBe(pageSizeBytes);
    const image = readAll(view);
    expect(readAll(view, 1).equals(image)).toBe(true);
    view.close();
    expect(image.equals(checkpointedBytes())).toBe(true);
  });

  test("the file alone when everything is checkpointed, and names the WAL's end as its place", async () => {
    const driver = await loadDriver(name);
    create();
    const own = attach(driver);
    python(`db.execute("UPDATE t SET a = 1")`);
    own.row("PRAGMA wal_checkpoint(PASSIVE)");
    const view = openView(driver);
    expect(view.share().needsWal).toBe(false);
    const wal = readFileSync(`${file}-wal`);
    const { frame, salts, checksum } = view.mark;
    const last = frameOffset(frame, view.pageSizeBytes);
    expect(frame).toBeGreaterThan(0);
    expect(wal.toString("hex", last + 8, last + 16)).toBe(salts);
    expect(wal.toString("hex", last + 16, last + 24)).toBe(checksum);
    expect(readAll(view).equals(fileBytes())).toBe(true);
    view.close();
  });

  test("a database whose WAL never had a frame", async () => {
    const driver = await loadDriver(name);
    create();
    attach(driver);
    const view = openView(driver);
    expect(view.mark).toEqual({ frame: 0, salts: view.header.salts, checksum: "0000000000000000" });
    expect(readAll(view).equals(fileBytes())).toBe(true);
    view.close();
  });

  test("a database just made, with no table in it", async () => {
    const driver = await loadDriver(name);
    python(`db.execute("PRAGMA journal_mode=WAL")`);
    attach(driver);
    const view = openView(driver);
    expect(view.pageCount).toBe(1);
    expect(readAll(view).equals(fileBytes())).toBe(true);
    view.close();
  });
});

describe("a view stays as it was", () => {
  test("while writers write, checkpoint, vacuum and shrink", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    attach(driver);
    python(`db.execute("UPDATE t SET a = 1 WHERE id % 3 = 0")`);
    const view = openView(driver);
    const image = readAll(view);
    python(`
for i in range(20):
  db.execute("UPDATE t SET a = a + 10, filler = randomblob(900)")
  db.execute("PRAGMA wal_checkpoint(PASSIVE)")
db.execute("DELETE FROM t WHERE id > 10")
db.execute("VACUUM")
db.execute("PRAGMA wal_checkpoint(PASSIVE)")
`);
    expect(readAll(view).equals(image)).toBe(true);
    expect(query(image, "PRAGMA integrity_check; SELECT count(*), sum(a) FROM t")).toBe("ok\n200|67");
    view.close();
    const after = openView(driver);
    expect(after.pageCount).toBeLessThan(view.pageCount);
    expect(query(readAll(after), "SELECT count(*) FROM t")).toBe("11");
    after.close();
  });

  test("on a fully checkpointed WAL too: a writer may restart the WAL, but nobody writes to the file", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    const own = attach(driver);
    python(`db.execute("UPDATE t SET a = 1")`);
    own.row("PRAGMA wal_checkpoint(PASSIVE)");
    const view = openView(driver);
    const image = readAll(view);
    const { salts } = view.header;
    python(`
for i in range(20):
  db.execute("UPDATE t SET a = a + 10, filler = randomblob(900)")
  db.execute("PRAGMA wal_checkpoint(PASSIVE)")
`);
    expect(readAll(view).equals(image)).toBe(true);
    expect(new WalIndexFile(holdFile(`${file}-shm`)).read().header.salts).not.toBe(salts);
    view.close();
  });

  test("when two views of different states are open at once", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    attach(driver);
    python(`db.execute("UPDATE t SET a = 1")`);
    const first = openView(driver);
    const imageOfFirst = readAll(first);
    python(`db.execute("UPDATE t SET a = 2")`);
    const second = openView(driver);
    expect(readAll(first).equals(imageOfFirst)).toBe(true);
    expect(query(readAll(second), "SELECT min(a), max(a) FROM t")).toBe("2|2");
    first.close();
    python(`db.execute("UPDATE t SET a = 3"); db.execute("PRAGMA wal_checkpoint(PASSIVE)")`);
    expect(query(readAll(second), "SELECT min(a), max(a) FROM t")).toBe("2|2");
    second.close();
  });

  test("and is the same from another thread", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    attach(driver);
    python(`db.execute("UPDATE t SET a = 1 WHERE id % 3 = 0")`);
    const view = openView(driver);
    const attached = DatabaseView.attach(structuredClone(view.share()));
    python(`db.execute("UPDATE t SET a = 9"); db.execute("PRAGMA wal_checkpoint(PASSIVE)")`);
    expect(readAll(attached).equals(readAll(view))).toBe(true);
    expect(attached.mark).toEqual(view.mark);
    attached.close();
    expect(readAll(view).length).toBeGreaterThan(0);
    view.close();
  });
});

describe("among writers that never rest", () => {
  test("each view is exactly the state that its header names, as the frames of the WAL prove", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    attach(driver);
    const base = fileBytes();
    const writer = await startWriter(`
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("PRAGMA synchronous=OFF")
n = 0
while n < 20000:
  n += 1
  db.execute("UPDATE t SET a = a + 1, filler = randomblob(50 + id * 13 % 800) WHERE id = ?", (n * 37 % 200,))
  if n == 1: print("running")
`);
    const states = new Map<number, Buffer>();
    for (let tries = 0; states.size < 15 && tries < 20_000; tries++) {
      const view = openView(driver);
      const { mxFrame } = view.header;
      if (!states.has(mxFrame)) states.set(mxFrame, readAll(view));
      view.close();
    }
    writer.kill("SIGSTOP");
    const wal = readFileSync(`${file}-wal`);
    expect(states.size).toBe(15);
    for (const [mxFrame, image] of states) {
      expect(image.equals(withFrames(base, wal, mxFrame)), `state of frame ${mxFrame}`).toBe(true);
    }
  });

  test("with checkpoints and restarts of the WAL, every view holds a whole transaction, and holds it", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    attach(driver);
    // The sum of all rows is 0 in every committed state; pages are freed and taken all the time.
    await startWriter(`
db.execute("PRAGMA wal_autocheckpoint=20")
db.execute("PRAGMA synchronous=OFF")
n = 0
while True:
  n += 1
  db.execute("BEGIN IMMEDIATE")
  x = random.randrange(1000)
  for k in range(4):
    db.execute("UPDATE t SET a = a + ?, filler = randomblob(?) WHERE id = ?", ((x, -x)[k % 2], random.randrange(2000), (n * 7 + k * 50) % 200))
  if n % 10 == 0:
    db.execute("INSERT INTO t VALUES (1000, 0, randomblob(100000))")
  if n % 10 == 5: db.execute("DELETE FROM t WHERE id = 1000")
  db.execute("COMMIT")
  if n == 1: print("running")
`);
    const kinds = new Set<boolean>();
    for (let round = 0; round < 60; round++) {
      const view = openView(driver);
      kinds.add(view.share().needsWal);
      const image = readAll(view);
      expect(readAll(view, 7).equals(image), `round ${round}`).toBe(true);
      view.close();
      expect(query(image, "PRAGMA integrity_check; SELECT sum(a) FROM t")).toBe("ok\n0");
    }
    expect(kinds.has(true)).toBe(true);
  });

  test("a WAL of many index blocks is looked up as SQLite does", async () => {
    const driver = await loadDriver("node:sqlite");
    create(512, 2000);
    attach(driver);
    python(`
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("PRAGMA synchronous=OFF")
for i in range(30): db.execute("UPDATE t SET a = ? WHERE id % 4 <> ?", (i, i % 4))
`);
    const view = openView(driver);
    expect(view.header.mxFrame).toBeGreaterThan(4 * 4096);
    const image = readAll(view, 2048);
    view.close();
    expect(image.equals(checkpointedBytes())).toBe(true);
  });
});

test("a header that a writer died over is recovered by SQLite, and the view is of the recovered state", async () => {
  const driver = await loadDriver("node:sqlite");
  create();
  attach(driver);
  python(`db.execute("UPDATE t SET a = 1 WHERE id % 3 = 0")`);
  const shm = holdFile(`${file}-shm`);
  // Between its two copies: the second is ahead of the first.
  const ahead = Buffer.alloc(48);
  readSync(shm, ahead, 0, 48, 48);
  ahead.writeUInt32LE(ahead.readUInt32LE(16) + 1, 16);
  writeSync(shm, ahead, 0, 48, 48);
  const view = openView(driver);
  const image = readAll(view);
  view.close();
  expect(query(image, "PRAGMA integrity_check; SELECT sum(a) FROM t")).toBe("ok\n67");
  expect(image.equals(checkpointedBytes())).toBe(true);
});

describe("a view refuses", () => {
  test("a path at which another file stands by now", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    attach(driver);
    const databaseDescriptor = holdFile(file);
    const index = new WalIndexFile(holdFile(`${file}-shm`));
    execFileSync("sh", ["-c", `cp "${file}" "${file}.new" && mv "${file}.new" "${file}"`]);
    expect(() => DatabaseView.open({ driver, file, databaseDescriptor, index })).toThrow(
      expect.objectContaining({ code: "storage_failed" }),
    );
  });

  test("to make a database where there is none", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    attach(driver);
    const source = {
      driver,
      file: join(folder, "missing.db"),
      databaseDescriptor: holdFile(file),
      index: new WalIndexFile(holdFile(`${file}-shm`)),
    };
    expect(() => DatabaseView.open(source)).toThrow();
    expect(() => readFileSync(source.file)).toThrow(/ENOENT/);
  });

  test("frames that are not those the index promises", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    attach(driver);
    python(`db.execute("UPDATE t SET a = 1")`);
    const wal = readFileSync(`${file}-wal`);
    wal[WAL_HEADER_BYTES + 8]! ^= 1;
    writeFileSync(`${file}-wal`, wal);
    const view = openView(driver);
    expect(() => readAll(view)).toThrow(expect.objectContaining({ code: "damaged" }));
    view.close();
  });

  test("with database_busy, retryable, while somebody locks readers out", async () => {
    const driver = await loadDriver("node:sqlite");
    create();
    const own = attach(driver);
    const databaseDescriptor = holdFile(file);
    const index = new WalIndexFile(holdFile(`${file}-shm`));
    own.close();
    connections.length = 0;
    await startWriter(`
db.execute("PRAGMA locking_mode=EXCLUSIVE")
db.execute("PRAGMA journal_mode=DELETE")
db.execute("BEGIN EXCLUSIVE")
print("locked")
sys.stdin.read()
import time
time.sleep(60)
`);
    expect(() => DatabaseView.open({ driver, file, databaseDescriptor, index })).toThrow(
      expect.objectContaining({ code: "database_busy", retryable: true }),
    );
  });
});

test("the lock page at 1 GiB reads as zeros, and the pages around it as they are", async () => {
  const driver = await loadDriver("node:sqlite");
  // A sparse file of a little more than 1 GiB, with a mark on each page around the lock page and on that itself.
  python(`
db.execute("PRAGMA page_size=65536")
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)")
db.close()
with open(sys.argv[1], "r+b") as raw:
  raw.truncate(16400 * 65536)
  raw.seek(28); raw.write((16400).to_bytes(4, "big"))
  for page in (16384, 16385, 16386):
    raw.seek((page - 1) * 65536); raw.write(b"x" * 65536)
`);
  attach(driver);
  python(`db.execute("INSERT INTO t VALUES (1)")`);
  const view = openView(driver);
  const lock = 0x40000000 / 65536 + 1;
  expect(view.share().needsWal).toBe(true);
  expect(view.pageCount).toBe(16400);
  const run = Buffer.alloc(3 * 65536, 0xff);
  view.readRun(lock - 1, 3, run);
  expect(run.subarray(65536, 2 * 65536).every((byte) => byte === 0)).toBe(true);
  expect(run.subarray(0, 65536).every((byte) => byte === 0x78)).toBe(true);
  expect(run.subarray(2 * 65536).every((byte) => byte === 0x78)).toBe(true);
  view.close();
});

/** The base file with the WAL's frames 1 to `mxFrame` laid over it: what SQLite's recovery would make. */
function withFrames(base: Buffer, wal: Buffer, mxFrame: number): Buffer {
  const pageSizeBytes = wal.readUInt32BE(8);
  const pageCount = wal.readUInt32BE(frameOffset(mxFrame, pageSizeBytes) + 4);
  const image = Buffer.alloc(pageCount * pageSizeBytes);
  base.copy(image);
  for (let frame = 1; frame <= mxFrame; frame++) {
    const offset = frameOffset(frame, pageSizeBytes);
    wal.copy(image, (wal.readUInt32BE(offset) - 1) * pageSizeBytes, offset + 24, offset + 24 + pageSizeBytes);
  }
  return image;
}
