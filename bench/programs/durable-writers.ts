/**
 * `durable-writers.ts FILE MODE WRITERS SECONDS`: that many writers of one process each commit a row through Tailrace's
 * own connection and wait until it is durable, again and again. With MODE `full` there is no Tailrace: one connection
 * with synchronous=FULL commits one row after the other. Prints acknowledged commits per second as JSON.
 */
import { DatabaseSync } from "node:sqlite";
import { openPrimary } from "../../src/primary.ts";

const [file = "", mode = "commit", writers = "1", seconds = "3"] = process.argv.slice(2);
const CREATE = "CREATE TABLE IF NOT EXISTS acknowledged(id INTEGER PRIMARY KEY, v BLOB)";
const INSERT = "INSERT INTO acknowledged(v) VALUES (randomblob(100))";
let commits = 0;
let elapsedMs = 0;

async function measure(writer: () => Promise<void> | void): Promise<void> {
  const start = performance.now();
  const isOver = (): boolean => performance.now() - start >= Number(seconds) * 1000;
  const work = async (): Promise<void> => {
    for (; !isOver(); commits++) await writer();
  };
  await Promise.all(Array.from({ length: Number(writers) }, work));
  elapsedMs = performance.now() - start;
}

if (mode === "full") {
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; ${CREATE}`);
  const insert = database.prepare(INSERT);
  await measure(() => void insert.run());
  database.close();
} else {
  const primary = await openPrimary({ file, durability: mode as "commit" | "group" | "os" });
  primary.database.exec(CREATE);
  const insert = primary.database.prepare(INSERT);
  await measure(async () => {
    insert.run();
    await primary.durable();
  });
  await primary.close();
}
console.log(JSON.stringify({ commitsPerSecond: commits / (elapsedMs / 1000) }));
