/*
 * A replica as a process of its own, for crash tests: follow.ts URL FILE [os|commit] [stop|resync] [BOOT-ID]. Prints
 * `ready`, then each applied txid, one a line; its status when it reads that word; ends in order at the end of its input.
 */
import { startFollowing } from "../../replica/follow-thread.ts";

const [, , primary, file, durability = "os", onForeignWrite = "stop", bootId] = process.argv;
const replica = await startFollowing({
  primary: primary!,
  file: file!,
  dataDir: `${file}-tailrace`,
  driverName: "node:sqlite",
  durability: durability as "os",
  onForeignWrite: onForeignWrite as "stop",
  ...(bootId === undefined ? {} : { bootId }),
});
replica.on("message", (text) => process.stderr.write(`${text}\n`));
replica.on("applied", ({ txid }) => process.stdout.write(`${txid}\n`));
replica.on("failed", (error) => {
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exit(1);
});
void replica.ready.then(() => process.stdout.write("ready\n")).catch(() => undefined);
process.stdin.setEncoding("utf8").on("data", (line) => {
  if (String(line) === "status\n") process.stdout.write(`status ${JSON.stringify(replica.status())}\n`);
});
process.stdin.on("end", () => void replica.close().then(() => process.exit(0)));
process.stdin.resume();
