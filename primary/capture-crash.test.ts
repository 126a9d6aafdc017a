import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { CapturedDatabase } from "../test/harness/captured-database.ts";

const PROGRAM = new URL("../test/programs/capture.ts", import.meta.url).pathname;
const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')";
/** Many processes, one after the other: also where the machine has much else to do. */
const STORY_LIMIT_MS = 120_000;
/** Commits that leave the WAL alone, so that it keeps what a dead capture has not taken. */
const COMMITS = 40;
const WRITE = `
c.execute('pragma wal_autocheckpoint=0')
for i in range(${COMMITS}): c.execute('insert into t(b) values(?)', (os.urandom(3000),))
os._exit(0)`;

interface Victim {
  readonly process: ChildProcess;
  /** The newest transaction that it has told of. */
  acknowledged: number;
}

async function startVictim(file: string, failpoint: string, softLimitBytes = 1 << 24): Promise<Victim> {
  const child = spawn(process.execPath, [PROGRAM, file, String(softLimitBytes)], {
    env: { ...process.env, TAILRACE_FAILPOINT: failpoint },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const victim = { process: child, acknowledged: 0 };
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve) => {
    lines.on("line", (line) => {
      if (line === "ready") resolve();
      else if (!line.startsWith("trouble")) victim.acknowledged = Number(line);
    });
    child.on("exit", () => resolve());
  });
  return victim;
}

async function database(): Promise<CapturedDatabase> {
  const captured = new CapturedDatabase();
  captured.python(SETUP);
  captured.keepStart();
  return captured;
}

test(
  "killed at one point after the other: every commit is a record of its own, none twice",
  { timeout: STORY_LIMIT_MS },
  async () => {
    const captured = await database();
    let commits = 0;
    let died = "nowhere";
    for (const failpoint of [
      "capture.frames-read:2",
      // Each life begins with the commits that the one before has not seen: within these, and past them.
      "capture.recorded",
      `capture.recorded:${COMMITS + 10}`,
      "capture.synced:2",
      "log.fragment-written:5",
      `log.record-written:${COMMITS + 10}`,
      "log.segment-sealed",
      "log.segment-created",
    ]) {
      const victim = await startVictim(captured.file, failpoint);
      captured.python("c.execute('insert into t(b) values(1)')\nos._exit(0)");
      commits += 1;
      await expect.poll(() => victim.acknowledged > 0 || victim.process.signalCode !== null).toBe(true);
      expect(victim.acknowledged, `records after a death at ${died}`).toBeLessThanOrEqual(commits);
      captured.python(WRITE);
      if (victim.process.signalCode === null) await once(victim.process, "exit");
      expect(victim.process.signalCode, failpoint).toBe("SIGKILL");
      captured.python(WRITE);
      commits += 2 * COMMITS;
      died = failpoint;
    }
    await captured.start();
    expect(await captured.prove()).toBe(commits);
    expect((await captured.status()).differences).toBe(0);
  },
);

test("killed in the midst of checkpoints: nothing is missed", { timeout: STORY_LIMIT_MS }, async () => {
  const captured = await database();
  let acknowledged = 0;
  for (const failpoint of ["capture.pin-moved:2", "capture.checkpointed", "capture.restart-allowed"]) {
    const victim = await startVictim(captured.file, failpoint, 20_000);
    captured.python(WRITE);
    if (victim.process.signalCode === null) await once(victim.process, "exit");
    expect(victim.process.signalCode, failpoint).toBe("SIGKILL");
    captured.python(WRITE);
    captured.python("for i in range(5): c.execute('insert into t(b) values(1)')");
    acknowledged = Math.max(acknowledged, victim.acknowledged);
  }
  await captured.start();
  const { txid } = await captured.capture.durable();
  expect(txid).toBeGreaterThanOrEqual(acknowledged);
  await captured.prove();
  captured.python(WRITE);
  expect(await captured.prove()).toBe(txid + COMMITS);
});

test("killed at random moments under load, again and again: the log and the database end at one state", async () => {
  const captured = await database();
  // The log begins here, at the state that is kept.
  await captured.start();
  await captured.stop();
  const writer = spawn("python3", [
    "-c",
    `import sqlite3, sys, os, time
c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
c.execute('pragma wal_autocheckpoint=50')
while True:
    c.execute('insert into t(b) values(?)', (os.urandom(1000),))
    time.sleep(0.0005)`,
    captured.file,
  ]);
  onTestFinished(() => void writer.kill("SIGKILL"));
  let acknowledged = 0;
  for (let round = 0; round < 5; round++) {
    const victim = await startVictim(captured.file, "", 50_000);
    await expect.poll(() => victim.acknowledged > 0, { timeout: 10_000, interval: 1 }).toBe(true);
    const target = victim.acknowledged + round * 37;
    await expect.poll(() => victim.acknowledged >= target, { timeout: 10_000, interval: 1 }).toBe(true);
    victim.process.kill("SIGKILL");
    await once(victim.process, "exit");
    expect(victim.acknowledged).toBeGreaterThan(acknowledged);
    acknowledged = victim.acknowledged;
  }
  writer.kill("SIGKILL");
  if (writer.exitCode === null && writer.signalCode === null) await once(writer, "exit");
  await captured.start();
  expect(await captured.prove()).toBeGreaterThanOrEqual(acknowledged);
});
