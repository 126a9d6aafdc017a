/**
 * A reader in a process of its own: `digest-reader.ts FILE`. Digests the whole content again and again until its
 * standard input ends, and prints each digest that differs from the one before.
 */
import { setImmediate as turn } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { contentDigest } from "../harness/digest.ts";

const database = new DatabaseSync(process.argv[2] ?? "", { readOnly: true, timeout: 10_000 });
const input = process.stdin.resume();
let last = "";
while (!input.readableEnded) {
  const digest = contentDigest(database);
  if (digest !== last) console.log((last = digest));
  await turn();
}
database.close();
