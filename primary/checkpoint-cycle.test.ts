import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { CapturedDatabase } from "../test/harness/captured-database.ts";

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";
const SOFT_LIMIT_BYTES = 1 << 20;
const ROW_BYTES = 20_000;
/** 4 GB, should nobody stop it. */
const MAX_ROWS = 200_000;
/** More than that. */
const MAX_LOG_BYTES = 16 * 2 ** 30;
/** Far beyond where writers are held up. */
const HELD_BACK_BYTES = 64 << 20;

async function following(): Promise<CapturedDatabase> {
  // However long a writer runs: all of the log stays to be proven, and no snapshot's view keeps checkpoints from their end.
  const limits = { keepLogBytes: MAX_LOG_BYTES, maxLogBytes: null, snapshotAfterBytes: MAX_LOG_BYTES };
  const database = new CapturedDatabase({ walSoftLimitBytes: SOFT_LIMIT_BYTES, ...limits });
  database.python(SETUP);
  database.keepStart();
  await database.start();
  return database;
}

/** A process that commits without a pause until told to stop, and waits for locks as applications do. */
class Writer {
  private readonly child: ChildProcessWithoutNullStreams;
  private output = "";

  constructor({ file }: CapturedDatabase) {
    const code = `
import sqlite3, sys, os, threading
stopped = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
c.execute('pragma synchronous=off')
b = os.urandom(${ROW_BYTES})
i = 0
while not stopped.is_set() and i < ${MAX_ROWS}:
    c.execute('insert or replace into t values(?,?)', (i % 200, b)); i += 1
print(i)
`;
    this.child = spawn("python3", ["-c", code, file]);
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.on("data", (text) => (this.output += String(text)));
    onTestFinished(() => void this.child.kill("SIGKILL"));
  }

  /** @returns how many commits it made @throws when anything went wrong for it */
  async stop(): Promise<number> {
    this.child.stdin.end();
    await once(this.child, "close");
    if (!/^\d+\n$/.test(this.output)) throw new Error(this.output);
    return Number(this.output);
  }
}

test("a writer without pauses is held up: the WAL begins anew again and again, the writer sees no error, nothing is missed", async () => {
  const database = await following();
  const writer = new Writer(database);
  await expect
    .poll(async () => (await database.status()).wal, { timeout: 20_000, interval: 50 })
    .toSatisfy(({ heldWriters, completedCheckpoints }) => heldWriters > 0 && completedCheckpoints > 3);
  const rows = await writer.stop();
  expect(await database.prove()).toBe(rows);
  expect((await database.status()).differences).toBe(0);
});

test("an application's own TRUNCATE gets its way after a moment, and nothing is missed", async () => {
  const database = await following();
  const answer = database.python(`
c.execute('pragma wal_autocheckpoint=0')
for round in range(3):
    for i in range(20): c.execute('insert into t(b) values(randomblob(5000))')
    print(c.execute('pragma wal_checkpoint(TRUNCATE)').fetchone()[0], end=' ')
`);
  expect(answer.trim()).toBe("0 0 0");
  expect(await database.prove()).toBe(60);
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
  const writer = new Writer(database);
  await expect
    .poll(() => statSync(`${database.file}-wal`).size, { timeout: 20_000, interval: 20 })
    .toBeGreaterThan(HELD_BACK_BYTES);
  const rows = await writer.stop();
  const { wal } = await database.status();
  expect(wal.completedCheckpoints).toBe(0);
  // In vain it is tried once; then it is known.
  expect(wal.heldWriters).toBeLessThanOrEqual(2);
  reader.stdin.end();
  await once(reader, "close");
  expect(await database.prove()).toBe(rows);
  database.shell("delete from t where a = 1");
  await database.capture.durable();
  expect((await database.status()).wal.capturedFrames).toBeLessThan(100);
  expect(await database.prove()).toBe(rows + 1);
});
