/**
 * A fixed amount of work, to be counted or timed from outside: `guarded-work.ts WORK FILE COUNT [URL]`.
 *
 * - `commits`: an application's own connection commits COUNT times, three rows each; whoever follows the file is outside
 * - `primary-commits`: the same through `primary.database` of a primary in this process, and then until all is in the log
 * - `reads`: COUNT look-ups by key through a connection of node:sqlite
 * - `replica-reads`: the same through `replica.database` of a replica of URL in this process
 *
 * Prints as JSON how long the work itself took on this thread.
 */
import { DatabaseSync } from "node:sqlite";
import { openPrimary } from "../../src/primary.ts";
import { openReplica } from "../../src/replica.ts";

const [work = "", file = "", countText = "1", url = ""] = process.argv.slice(2);
const count = Number(countText);
const ROWS = 10_000;
let state = 12345;
const row = (): number => 1 + ((state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) % ROWS);

function commit(database: DatabaseSync): number {
  database.exec(`CREATE TABLE IF NOT EXISTS busy(id INTEGER PRIMARY KEY, n INT, v BLOB);
    WITH RECURSIVE i(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM i WHERE id < ${ROWS})
      INSERT OR IGNORE INTO busy SELECT id, 0, zeroblob(200) FROM i`);
  const update = database.prepare("UPDATE busy SET n = n + 1 WHERE id = ?");
  return timed(() => {
    database.exec("BEGIN IMMEDIATE");
    for (let rows = 0; rows < 3; rows++) update.run(row());
    database.exec("COMMIT");
  });
}

function read(database: DatabaseSync): number {
  const select = database.prepare("SELECT n FROM busy WHERE id = ?");
  return timed(() => select.get(row()));
}

function timed(step: () => unknown): number {
  const start = performance.now();
  for (let done = 0; done < count; done++) step();
  return performance.now() - start;
}

let tookMs: number;
if (work === "primary-commits") {
  const primary = await openPrimary({ file, durability: "os" });
  tookMs = commit(primary.database);
  await primary.durable();
  await primary.close();
} else if (work === "replica-reads") {
  const replica = await openReplica({ primary: url, file });
  tookMs = read(replica.database);
  await replica.close();
} else {
  const database = new DatabaseSync(file, { timeout: 10_000 });
  database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
  tookMs = work === "reads" ? read(database) : commit(database);
  database.close();
}
console.log(JSON.stringify({ tookMs }));
