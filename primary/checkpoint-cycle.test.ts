import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { CapturedDatabase } from "../test/harness/captured-database.ts";

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";
const SOFT_LIMIT_BYTES = 1 << 20;
const ROW_BYTES = 20_000;

async function following(): Promise<CapturedDatabase> {
  const database = new CapturedDatabase({ walSoftLimitBytes: SOFT_LIMIT_BYTES });
  database.python(SETUP);
  database.keepStart();
  await database.start();
  return database;
}

/** A process that commits without a pause, and waits for locks as applications do. It prints what goes wrong. */
function writer({ file }: CapturedDatabase, rows: number): ChildProcess & { readonly done: Promise<string> } {
  const code = `
import sqlite3, sys, os
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
c.execute('pragma synchronous=off')
b = os.urandom(${ROW_BYTES})
for i in range(${rows}): c.execute('insert or replace into t values(?,?)', (i % 200, b))
`;
  const child = spawn("python3", ["-c", code, file], { stdio: ["ignore", "ignore", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let errors = "";
  child.stderr.on("data", (text) => (errors += String(text)));
  return Object.assign(child, { done: once(child, "close").then(() => errors) });
}

test("a writer without pauses is held up: the WAL stays bounded, the writer sees no error, nothing is missed", async () => {
  const database = await following();
  const rows = 8_000;
  expect(await writer(database, rows).done).toBe("");
  const { wal } = await database.status();
  expect(wal.heldWriters).toBeGreaterThan(0);
  expect(wal.completedCheckpoints).toBeGreaterThan(1);
  // Without a restart it is more than all rows. How much less it is, is a matter of the machine.
  expect(statSync(`${database.file}-wal`).size).toBeLessThan(rows * ROW_BYTES);
  expect(await database.prove()).toBe(rows);
  expect((await database.status()).differences).toBe(0);
});

test("a reader of an old state is waited for by the WAL, not by the writer; when it is gone, the WAL begins anew", async () => {
  const database = await following();
  const reader = spawn("python3", [
    "-c",
    `import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute('begin'); c.execute('select count(*) from t').fetchall()
print('reads', flush=True); sys.stdin.read()`,
    database.file,
  ]);
  onTestFinished(() => void reader.kill("SIGKILL"));
  await once(reader.stdout, "data");
  const rows = 3000;
  expect(await writer(database, rows).done).toBe("");
  const { wal } = await database.status();
  expect(wal.completedCheckpoints).toBe(0);
  // In vain it is tried once; then it is known.
  expect(wal.heldWriters).toBeLessThanOrEqual(2);
  expect(statSync(`${database.file}-wal`).size).toBeGreaterThan(rows * ROW_BYTES);
  reader.stdin.end();
  await once(reader, "close");
  expect(await database.prove()).toBe(rows);
  database.shell("delete from t where a = 1");
  await database.capture.durable();
  expect((await database.status()).wal.capturedFrames).toBeLessThan(100);
  expect(await database.prove()).toBe(rows + 1);
});
