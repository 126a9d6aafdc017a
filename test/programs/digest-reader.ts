/**
 * A reader in a process of its own: `digest-reader.ts FILE`. Digests the whole content whenever there is another, until its
 * standard input ends, and prints each digest that differs from the one before.
 */
import { setTimeout as pause } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { contentDigest } from "../harness/digest.ts";

const database = new DatabaseSync(process.argv[2] ?? "", { readOnly: true, timeout: 10_000 });
const version = database.prepare("PRAGMA data_version");
const input = process.stdin.resume();
let lastVersion: unknown;
let last = "";
for (let isOver = false; !isOver; await pause(1)) {
  // The last look begins after the input has ended: it sees all that was committed before.
  isOver = input.readableEnded;
  const present = version.get()!["data_version"];
  // With the same version it would read its own cache once more.
  if (present === lastVersion) continue;
  lastVersion = present;
  const digest = contentDigest(database);
  if (digest !== last) console.log((last = digest));
}
database.close();
