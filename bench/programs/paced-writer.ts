/**
 * An application that writes: `paced-writer.ts FILE RATE SECONDS`. Commits one small transaction at each tick of a
 * fixed timetable (so that a slow commit is not followed by a pause that hides it), and prints as JSON the moments at
 * which each commit had returned, in microseconds of CLOCK_MONOTONIC, which all processes of a host share.
 */
import { DatabaseSync } from "node:sqlite";

const [file = "", rate = "100", seconds = "5"] = process.argv.slice(2);
const intervalNs = 1e9 / Number(rate);
const count = Math.round(Number(rate) * Number(seconds));
const database = new DatabaseSync(file, { timeout: 10_000 });
database.exec("PRAGMA synchronous=NORMAL; CREATE TABLE IF NOT EXISTS probe(id INTEGER PRIMARY KEY, v BLOB)");
const first = Number(database.prepare("SELECT coalesce(max(id), 0) + 1 AS n FROM probe").get()!["n"]);
const insert = database.prepare("INSERT INTO probe VALUES (?, randomblob(100))");
const cell = new Int32Array(new SharedArrayBuffer(4));
const committedUs = new Float64Array(count);
const start = Number(process.hrtime.bigint());
for (let index = 0; index < count; index++) {
  const dueNs = start + index * intervalNs;
  for (let nowNs = Number(process.hrtime.bigint()); nowNs < dueNs; nowNs = Number(process.hrtime.bigint()))
    Atomics.wait(cell, 0, 0, Math.max(0.02, (dueNs - nowNs) / 1e6));
  insert.run(first + index);
  committedUs[index] = Number(process.hrtime.bigint()) / 1e3;
}
console.log(JSON.stringify({ first, committedUs: [...committedUs] }));
database.close();
