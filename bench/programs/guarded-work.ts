/**
 * A fixed amount of work, to be counted or timed from outside: `guarded-work.ts WORK FILE COUNT [URL]`.
 *
 * - `commits`: an application's own connection commits COUNT times, three rows each; whoever follows the file is outside
 * - `primary-commits`: the same through `primary.database` of a primary in this process
 * - `capture`: COUNT such commits, which nobody looks at, are captured into a log by this thread
 * - `reads`: COUNT look-ups by key through a connection of node:sqlite
 * - `replica-reads`: the same through `replica.database` of a replica of URL in this process
 *
 * The same work was done for some time before, so that nothing counts but the work itself, compiled. Where `GUARD_CONTROL`
 * names two pipes, `perf stat --control` is told at both ends of it. Prints as JSON how long it took on this thread.
 */
import { openSync, readSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { openCapture } from "../../test/harness/open-capture.ts";
import { openPrimary } from "../../src/primary.ts";
import { openReplica } from "../../src/replica.ts";

const [work = "", file = "", countText = "1", url = ""] = process.argv.slice(2);
const count = Number(countText);
const control = process.env["GUARD_CONTROL"]?.split(",");
const ROWS = 10_000;
/** Of the work, as a part: what is done before it counts. With less it was the checkout's path that decided what was compiled by then. */
const WARM_PART = 2;
/** Of captures: much of what one takes to run fast is compiled after it. */
const WARM_ROUNDS = 16;
let state = 12345;
const row = (): number => 1 + ((state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) % ROWS);

/** A step that is one transaction. */
function committing(database: DatabaseSync): () => void {
  database.exec(`CREATE TABLE IF NOT EXISTS busy(id INTEGER PRIMARY KEY, n INT, v BLOB);
    WITH RECURSIVE i(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM i WHERE id < ${ROWS})
      INSERT OR IGNORE INTO busy SELECT id, 0, zeroblob(200) FROM i`);
  const update = database.prepare("UPDATE busy SET n = n + 1 WHERE id = ?");
  return () => {
    database.exec("BEGIN IMMEDIATE");
    for (let rows = 0; rows < 3; rows++) update.run(row());
    database.exec("COMMIT");
  };
}

function reading(database: DatabaseSync): () => unknown {
  const select = database.prepare("SELECT n FROM busy WHERE id = ?");
  return () => select.get(row());
}

function openAlone(): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 10_000 });
  database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
  return database;
}

function repeat(step: () => unknown, times: number): void {
  for (let done = 0; done < times; done++) step();
}

function steps(step: () => unknown): number {
  repeat(step, count * WARM_PART);
  return counted(() => repeat(step, count));
}

function counted(whole: () => void): number {
  const tell = control && openControl(control);
  tell?.("enable");
  const start = performance.now();
  whole();
  const tookMs = performance.now() - start;
  tell?.("disable");
  return tookMs;
}

/** Whatever is told is in effect when it returns. */
function openControl([commands = "", answers = ""]: readonly string[]): (command: string) => void {
  const commandPipe = openSync(commands, "w");
  const answerPipe = openSync(answers, "r");
  return (command) => {
    writeSync(commandPipe, `${command}\n`);
    readSync(answerPipe, Buffer.alloc(16));
  };
}

async function capture(): Promise<number> {
  const database = openAlone();
  const step = committing(database);
  const { capture: captured, close } = await openCapture(
    { file, dataDir: `${file}-tailrace` },
    { durability: "os", segmentSizeBytes: 1 << 30 },
  );
  for (let round = 0; round < WARM_ROUNDS; round++) {
    repeat(step, (count * WARM_PART) / WARM_ROUNDS);
    captured.captureAll();
    // What is being compiled beside this thread is taken over.
    await setImmediate();
  }
  repeat(step, count);
  const tookMs = counted(() => void captured.captureAll());
  close();
  database.close();
  return tookMs;
}

async function main(): Promise<number> {
  if (work === "capture") return await capture();
  if (work === "primary-commits") {
    // The mode in which SQLite need not sync for the log's sake, as in the work without.
    const primary = await openPrimary({ file, durability: "group" });
    const tookMs = steps(committing(primary.database));
    await primary.close();
    return tookMs;
  }
  if (work === "replica-reads") {
    const replica = await openReplica({ primary: url, file });
    const tookMs = steps(reading(replica.database));
    await replica.close();
    return tookMs;
  }
  const database = openAlone();
  const tookMs = steps(work === "reads" ? reading(database) : committing(database));
  database.close();
  return tookMs;
}

console.log(JSON.stringify({ tookMs: await main() }));
