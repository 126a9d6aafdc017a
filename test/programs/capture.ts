/** Follows the database given until it is killed: for crash tests. Arguments: the database, a soft limit for its WAL. */
import { startCapture } from "../../primary/capture-thread.ts";
import { hearHeads } from "../harness/heads.ts";

const [file = "", walSoftLimitBytes = "16777216"] = process.argv.slice(2);
const capture = await startCapture({
  file,
  dataDir: `${file}-tailrace`,
  driverName: "node:sqlite",
  durability: "commit",
  walSoftLimitBytes: Number(walSoftLimitBytes),
  segmentSizeBytes: 256 * 1024,
});
process.stdout.write("ready\n");
// What is acknowledged is what may never be lost.
await hearHeads(capture, ({ txid }) => process.stdout.write(`${txid}\n`));
capture.on("trouble", (error) =>
  process.stdout.write(`trouble ${error === null ? "none" : error.message}\n`),
);
