/*
 * The demo's writer: an ordinary application with an ordinary SQLite connection, which knows nothing of Tailrace. It
 * moves money between accounts, so that every state it commits has the same sum.
 *
 *   demo-writer FILE COMMITS_PER_SECOND
 */
import { DatabaseSync } from "node:sqlite";

const ACCOUNTS = 1_000;
const SLICE_MS = 5;
const MAX_COMMITS_A_SLICE = 100;

const [file = "", rateText = "200"] = process.argv.slice(2);
const rate = Number(rateText);
const database = new DatabaseSync(file);
database.exec(`
  PRAGMA busy_timeout = 5000;
  CREATE TABLE IF NOT EXISTS tailrace_demo_accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS tailrace_demo_transfers (
    id INTEGER PRIMARY KEY, payer INTEGER NOT NULL, payee INTEGER NOT NULL, amount INTEGER NOT NULL,
    written_ms REAL NOT NULL
  );
  WITH RECURSIVE ids(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < ${ACCOUNTS})
  INSERT OR IGNORE INTO tailrace_demo_accounts SELECT id, 1000 FROM ids;
`);
const move = database.prepare("UPDATE tailrace_demo_accounts SET balance = balance + ? WHERE id = ?");
const note = database.prepare(
  "INSERT INTO tailrace_demo_transfers (payer, payee, amount, written_ms) VALUES (?, ?, ?, ?)",
);

function transfer(): void {
  const payer = 1 + Math.floor(Math.random() * ACCOUNTS);
  const payee = 1 + Math.floor(Math.random() * ACCOUNTS);
  const amount = 1 + Math.floor(Math.random() * 100);
  database.exec("BEGIN IMMEDIATE");
  move.run(-amount, payer);
  move.run(amount, payee);
  note.run(payer, payee, amount, performance.timeOrigin + performance.now());
  database.exec("COMMIT");
}

const startMs = performance.now();
let commits = 0;
const timer = setInterval(() => {
  const dueCommits = Math.floor(((performance.now() - startMs) * rate) / 1000);
  for (let left = Math.min(dueCommits - commits, MAX_COMMITS_A_SLICE); left > 0; left--, commits++)
    transfer();
}, SLICE_MS);

function stop(): void {
  process.off("disconnect", stop);
  clearInterval(timer);
  database.close();
  if (process.connected) process.disconnect();
}
process.once("SIGTERM", stop);
process.once("disconnect", stop);
process.stdout.write(`${JSON.stringify({ event: "writing" })}\n`);
