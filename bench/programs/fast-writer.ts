/**
 * An application that writes: `fast-writer.ts FILE SECONDS NORMAL|FULL [RATE]`, as fast as it can, or RATE commits a
 * second. Each transaction updates three rows of different pages; its checkpoints are SQLite's own automatic ones. Prints
 * as JSON commits per second of the time spent on them, pauses between them not counted.
 */
import { DatabaseSync } from "node:sqlite";

const [file = "", seconds = "3", synchronous = "NORMAL", rate] = process.argv.slice(2);
const intervalMs = rate === undefined ? 0 : 1000 / Number(rate);
const cell = new Int32Array(new SharedArrayBuffer(4));
const ROWS = 10_000;
const database = new DatabaseSync(file, { timeout: 10_000 });
database.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=${synchronous === "FULL" ? "FULL" : "NORMAL"};
  CREATE TABLE IF NOT EXISTS busy(id INTEGER PRIMARY KEY, n INT, v BLOB);
  WITH RECURSIVE i(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM i WHERE id < ${ROWS})
    INSERT OR IGNORE INTO busy SELECT id, 0, randomblob(200) FROM i`);
const update = database.prepare("UPDATE busy SET n = n + 1 WHERE id = ?");
let state = 12345;
const next = (): number => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) % ROWS;
let commits = 0;
let busyMs = 0;
const start = performance.now();
for (let begun = start; begun - start < Number(seconds) * 1000; begun = performance.now()) {
  const dueMs = start + commits * intervalMs;
  if (begun < dueMs) {
    Atomics.wait(cell, 0, 0, dueMs - begun);
    continue;
  }
  database.exec("BEGIN IMMEDIATE");
  for (let row = 0; row < 3; row++) update.run(1 + next());
  database.exec("COMMIT");
  commits++;
  busyMs += performance.now() - begun;
}
console.log(JSON.stringify({ commitsPerSecond: commits / (busyMs / 1000) }));
database.close();
