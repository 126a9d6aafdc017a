/**
 * An application that owns its database through the library, and writes in bursts:
 *
 *     soak-primary.ts LIBRARY FILE SECONDS_BETWEEN_BURSTS LIMITS
 *
 * LIBRARY is the module of `tailrace/primary`, LIMITS its options as JSON. Prints its URL. A burst is some hundred small
 * transactions, of which each tenth is waited for until it is durable, and one of 2 MiB. What was written a few bursts ago
 * goes, so that the database keeps its size. A line on its standard input ends the writing ("quiet"), the end of it the rest.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import type { Primary, PrimaryOptions } from "../../src/primary.ts";

const SMALL_TRANSACTIONS = 300;
const LARGE_BYTES = 2 << 20;
const KEPT_BURSTS = 3;

const [library = "", file = "", seconds = "10", limits = "{}"] = process.argv.slice(2);
const { openPrimary } = (await import(library)) as {
  readonly openPrimary: (options: PrimaryOptions) => Promise<Primary>;
};
const primary = await openPrimary({
  ...(JSON.parse(limits) as Omit<PrimaryOptions, "file">),
  file,
  listen: { port: 0 },
});
primary.on("failed", (error) => {
  console.log(`failed: ${error.message}`);
  process.exit(1);
});
primary.on("trouble", (error) => {
  if (error !== null) console.log(`trouble: ${error.message}`);
});
const { database } = primary;
database.exec("PRAGMA busy_timeout=30000");
database.exec("CREATE TABLE burst(id INTEGER PRIMARY KEY, round INT, v BLOB)");
const insert = database.prepare("INSERT INTO burst(round, v) VALUES (?, randomblob(?))");
const remove = database.prepare("DELETE FROM burst WHERE round <= ?");
console.log(primary.address);

const lines = createInterface({ input: process.stdin });
const quiet = new AbortController();
lines.once("line", () => quiet.abort());
const ended = once(lines, "close");
for (let round = 0; !quiet.signal.aborted; round++) {
  for (let count = 0; count < SMALL_TRANSACTIONS && !quiet.signal.aborted; count++) {
    insert.run(round, 500);
    if (count % 10 === 9) await primary.durable();
  }
  insert.run(round, LARGE_BYTES);
  remove.run(round - KEPT_BURSTS);
  await primary.durable();
  await pause(Number(seconds) * 1000, undefined, { signal: quiet.signal }).catch(() => undefined);
}
console.log("quiet");
await ended;
await primary.close();
console.log("closed");
