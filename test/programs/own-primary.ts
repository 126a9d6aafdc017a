/**
 * A process that owns its database through the library, and says what has been acknowledged as durable:
 *
 *     own-primary.ts FILE PORT DURABILITY
 *
 * Prints its URL, then commits a step to `spread` every few milliseconds, and prints `ack N TXID` for each.
 * Ends with its standard input. Its segments are small, so that they are sealed all the time.
 */
import { setTimeout as pause } from "node:timers/promises";
import { openPrimary } from "../../src/primary.ts";
import { CREATE_SPREAD, STEP_SPREAD } from "../harness/watcher.ts";

/** Each step is 100 KB of log: without a pause, starts would be spent on verifying gigabytes. */
const STEP_PAUSE_MS = 8;

const [file = "", port = "0", durability = "commit"] = process.argv.slice(2);
const primary = await openPrimary({
  file,
  listen: { port: Number(port) },
  durability: durability as "commit" | "group" | "os",
  segmentSizeBytes: 256 * 1024,
  walSoftLimitBytes: 512 * 1024,
});
primary.on("message", (text) => console.log(`message: ${text}`));
primary.on("failed", (error) => {
  console.log(`failed: ${error.message}`);
  process.exit(1);
});
const { database } = primary;
if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'spread'").get() === undefined)
  database.exec(`BEGIN; ${CREATE_SPREAD} COMMIT;`);
console.log(primary.address);

const input = process.stdin.resume();
const step = database.prepare(`${STEP_SPREAD} RETURNING n`);
while (!input.readableEnded) {
  const row = step.all()[0];
  const { txid } = await primary.durable();
  console.log(`ack ${String(row!["n"])} ${txid}`);
  await pause(STEP_PAUSE_MS);
}
await primary.close();
console.log("closed");
