/**
 * Appends records to a log until it is killed: FOLDER DURABILITY. Says each txid on stdout once it counts as durable.
 */
import { writeSync } from "node:fs";
import { LogWriter } from "../../shared/log/log-writer.ts";
import type { Durability } from "../../shared/log/log-writer.ts";
import { History } from "../harness/history.ts";

const [folder = "", durability = "commit"] = process.argv.slice(2);
const history = new History();
const { log } = LogWriter.open({
  folder,
  logId: "0".repeat(32),
  epoch: 1,
  pageSizeBytes: 512,
  segmentSizeBytes: 4000,
  durability: durability as Durability,
  clock: () => 0,
  initial: history.initial,
});
// The same records at every start: what the log has already is skipped.
while (history.txid < log.headTxid) history.record({ fragments: 1 + (history.txid % 3) });
for (let count = 0; count < 200; count++) {
  for (const fragment of history.record({ fragments: 1 + (history.txid % 3) })) log.append(fragment);
  if (durability === "group" && count % 3 === 2) log.sync();
  if (durability !== "group" || count % 3 === 2) writeSync(1, `${log.headTxid}\n`);
}
log.close();
