/**
 * A reader in a process of its own: `visibility-probe.ts FILE`. Looks for new rows of `probe` about ten thousand times
 * a second, and stamps the moment at which each became visible to it, in microseconds of CLOCK_MONOTONIC. Prints
 * "reading", and at the end of its standard input [id, moment] pairs as JSON: ids up to `id` were visible by then.
 */
import { setImmediate as turn } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync(process.argv[2] ?? "", { readOnly: true });
const newest = database.prepare("SELECT max(id) AS n FROM probe");
const cell = new Int32Array(new SharedArrayBuffer(4));
const seen: [id: number, momentUs: number][] = [];
const input = process.stdin.resume();
let last = Number(newest.get()?.["n"] ?? 0);
console.log("reading");
while (!input.readableEnded) {
  for (let reads = 0; reads < 100; reads++) {
    const id = Number(newest.get()?.["n"] ?? 0);
    if (id > last) seen.push([(last = id), Number(process.hrtime.bigint()) / 1e3]);
    Atomics.wait(cell, 0, 0, 0.05);
  }
  await turn();
}
console.log(JSON.stringify(seen));
database.close();
