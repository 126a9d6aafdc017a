/**
 * An application that writes as fast as it can: `fast-writer.ts FILE SECONDS NORMAL|FULL`. Each transaction updates
 * three rows of different pages; its checkpoints are SQLite's own automatic ones. Prints commits per second as JSON.
 */
import { DatabaseSync } from "node:sqlite";

const [file = "", seconds = "3", synchronous = "NORMAL"] = process.argv.slice(2);
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
const start = performance.now();
while (performance.now() - start < Number(seconds) * 1000) {
  database.exec("BEGIN IMMEDIATE");
  for (let row = 0; row < 3; row++) update.run(1 + next());
  database.exec("COMMIT");
  commits++;
}
console.log(JSON.stringify({ commitsPerSecond: commits / ((performance.now() - start) / 1000) }));
database.close();
