import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { SUBJECT, snapshotNow, viewNow } from "../../test/harness/snapshot-now.ts";
import { hashPage } from "../format/page-hash.ts";
import { runToEnd, scanView } from "../pages/scan.ts";
import { loadDriver } from "../sqlite/driver.ts";
import { hex64 } from "../units.ts";
import { SnapshotStore } from "./snapshot-store.ts";
import { takeSnapshot } from "./take-snapshot.ts";

const CREATE = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
db.execute("PRAGMA page_size=" + sys.argv[2])
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, filler BLOB)")
db.execute("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 499) INSERT INTO t SELECT i, 0, randomblob(2000) FROM n")
`;

function createDatabase(pageSizeBytes = 4096): { file: string; snapshots: string } {
  const folder = temporaryFolder();
  const file = join(folder, "app.db");
  execFileSync("python3", ["-c", CREATE, file, String(pageSizeBytes)]);
  return { file, snapshots: join(folder, "snapshots") };
}

test.each([512, 4096, 65536])(
  "a snapshot is the database byte for byte, with its sums (page size %i)",
  async (pageSizeBytes) => {
    const { file, snapshots } = createDatabase(pageSizeBytes);
    const { snapshot } = await snapshotNow(file, snapshots);
    const image = readFileSync(snapshot.file);
    expect(image.equals(execFileSync("cat", [file], { maxBuffer: 1 << 30 }))).toBe(true);
    expect(snapshot).toMatchObject({ ...SUBJECT, generation: 1, pageSizeBytes });
    expect(snapshot.pageCount * pageSizeBytes).toBe(image.length);
    const sums = readFileSync(snapshot.checksumsFile);
    expect(sums.length).toBe(snapshot.pageCount * 8);
    let checksum = 0n;
    for (let page = 1; page <= snapshot.pageCount; page++) {
      const hash = hashPage(page, image.subarray((page - 1) * pageSizeBytes, page * pageSizeBytes));
      expect(sums.readBigUInt64LE((page - 1) * 8)).toBe(hash);
      checksum ^= hash;
    }
    expect(snapshot.databaseChecksum).toBe(hex64(checksum));
  },
);

test("a snapshot is of the state of its view, while writers write, checkpoint and restart the WAL", async () => {
  const { file, snapshots } = createDatabase();
  const writer = spawn(
    "python3",
    [
      "-u",
      "-c",
      `
import sqlite3, sys, random
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
db.execute("PRAGMA wal_autocheckpoint=50")
db.execute("PRAGMA synchronous=OFF")
n = 0
while True:
  n += 1
  x = random.randrange(1000)
  db.execute("BEGIN IMMEDIATE")
  for k in range(2):
    db.execute("UPDATE t SET a = a + ?, filler = randomblob(2000) WHERE id = ?", ((x, -x)[k], (n * 7 + k * 250) % 500))
  db.execute("COMMIT")
  if n == 1: print("running")
`,
      file,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  try {
    await once(createInterface(writer.stdout), "line");
    for (let round = 1; round <= 3; round++) {
      const { snapshot } = await snapshotNow(file, snapshots);
      expect(snapshot.generation).toBe(round);
      const sql = "PRAGMA integrity_check; SELECT count(*), sum(a) FROM t";
      const answer = execFileSync("sqlite3", [snapshot.file, sql], { encoding: "utf8" });
      expect(answer.trim()).toBe("ok\n500|0");
    }
  } finally {
    writer.kill("SIGKILL");
    await once(writer, "exit");
  }
});

test("a database that does not have the checksum of the log is not made into a snapshot", async () => {
  const { file, snapshots } = createDatabase();
  const view = await viewNow(file);
  const store = SnapshotStore.open(snapshots);
  const databaseChecksum = runToEnd(scanView(view, () => {})) ^ 1n;
  await expect(takeSnapshot(store, { ...SUBJECT, view, databaseChecksum })).rejects.toMatchObject({
    code: "diverged",
  });
  expect(store.list()).toEqual([]);
  expect(readdirSync(snapshots)).toEqual([]);
  view.close();
});

test("a snapshot that is stopped leaves nothing, and the next has a new number", async () => {
  const { file, snapshots } = createDatabase();
  const view = await viewNow(file);
  const store = SnapshotStore.open(snapshots);
  const databaseChecksum = runToEnd(scanView(view, () => {}));
  const subject = { ...SUBJECT, view, databaseChecksum };
  const stop = new AbortController();
  const taking = takeSnapshot(store, subject, stop.signal);
  stop.abort();
  await expect(taking).rejects.toMatchObject({ code: "closed" });
  expect(readdirSync(snapshots)).toEqual([]);
  expect(await takeSnapshot(store, subject)).toMatchObject({ generation: 2 });
  view.close();
});

test("taking a snapshot drops none of the locks that this process has on the database", async () => {
  const { file, snapshots } = createDatabase();
  const writer = (await loadDriver("node:sqlite")).open(file);
  writer.exec("BEGIN IMMEDIATE");
  await snapshotNow(file, snapshots);
  const other = spawnSync("sqlite3", [file, "BEGIN IMMEDIATE"], { encoding: "utf8" });
  expect(other.stderr).toContain("locked");
  writer.exec("COMMIT");
  writer.close();
});

test("a folder that is gone is storage_failed, from the other thread too; the next snapshot makes it anew", async () => {
  const { file, snapshots } = createDatabase();
  const view = await viewNow(file);
  const store = SnapshotStore.open(snapshots);
  const databaseChecksum = runToEnd(scanView(view, () => {}));
  const subject = { ...SUBJECT, view, databaseChecksum };
  const taking = takeSnapshot(store, subject);
  rmSync(snapshots, { recursive: true });
  await expect(taking).rejects.toMatchObject({ code: "storage_failed" });
  expect(existsSync((await takeSnapshot(store, subject)).file)).toBe(true);
  view.close();
});

test.each([
  ["snapshot.image-written", 0],
  ["snapshot.sums-written", 0],
  ["snapshot.published", 1],
])(
  "killed at %s, the next start finds %i whole generations and no rubbish",
  async (failpoint, generations) => {
    const { file, snapshots } = createDatabase();
    const program = resolve(import.meta.dirname, "../../test/programs/take-snapshot.ts");
    const killed = spawnSync(process.execPath, [program, file, snapshots, "node:sqlite"], {
      env: { ...process.env, TAILRACE_FAILPOINT: failpoint },
      encoding: "utf8",
    });
    expect(killed.signal, killed.stderr).toBe("SIGKILL");
    expect(readdirSync(snapshots).length).toBeGreaterThan(0);

    const store = SnapshotStore.open(snapshots);
    expect(store.list().length).toBe(generations);
    expect(readdirSync(snapshots).toSorted()).toEqual(
      generations === 0 ? [] : ["00000001.db", "00000001.json", "00000001.sums"],
    );
    const { snapshot } = await snapshotNow(file, snapshots);
    expect(snapshot.generation).toBe(generations + 1);
    expect(existsSync(snapshot.file)).toBe(true);
  },
);

test("with better-sqlite3 as the driver a snapshot is the same", () => {
  const { file, snapshots } = createDatabase();
  const program = resolve(import.meta.dirname, "../../test/programs/take-snapshot.ts");
  const answer = execFileSync(process.execPath, [program, file, snapshots, "better-sqlite3"], {
    encoding: "utf8",
  });
  const { snapshot, generations } = JSON.parse(answer) as {
    snapshot: { file: string };
    generations: number;
  };
  expect(generations).toBe(1);
  execFileSync("cmp", [snapshot.file, file]);
});
