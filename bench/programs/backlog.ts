/**
 * A replica's own parts, timed in a process that is up already: `backlog.ts follow|parts PRIMARY-URL FILE`.
 *
 * - `follow` catches up as any replica does, fetching and applying side by side
 * - `parts` fetches all of the backlog into the log copy first, and then applies it: each by itself
 *
 * Prints one line of JSON: seconds, the log bytes that came, and the most memory the process has had. The replica is left
 * closed, and in order.
 */
import { performance } from "node:perf_hooks";
import { startFollowing } from "../../replica/follow-thread.ts";
import { currentBootId } from "../../shared/storage/boot-id.ts";
import { MAX_BACKLOG_BYTES } from "../../replica/log-intake.ts";
import { LocalReplica } from "../../replica/local-replica.ts";
import { CHUNK_BYTES, Receiver } from "../../replica/receiver.ts";
import { HttpTransport, parseNodeUrl } from "../../replica/transport.ts";
import { EventLoopDelay } from "../../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../../shared/metrics/replica-engine.ts";
import { loadDriver } from "../../shared/sqlite/driver.ts";
import { DataFolder } from "../../shared/storage/data-folder.ts";
import { replicaRoom } from "../../shared/storage/disk-room.ts";
import { peakMemoryBytes } from "../harness/process-usage.ts";

const [mode, primary = "", file = ""] = process.argv.slice(2);
const dataDir = `${file}-tailrace`;

async function follow(): Promise<Record<string, number>> {
  const following = await startFollowing({
    primary,
    file,
    dataDir,
    driverName: "node:sqlite",
    durability: "os",
    onForeignWrite: "stop",
  });
  const start = performance.now();
  await following.sync();
  const followSeconds = (performance.now() - start) / 1000;
  await following.close();
  return { followSeconds };
}

async function parts(): Promise<Record<string, number>> {
  const driver = await loadDriver("node:sqlite");
  const folder = DataFolder.open(dataDir, driver);
  const { replica } = LocalReplica.open({
    file,
    dataDir,
    driver,
    isDurable: false,
    seen: {},
    bootId: currentBootId(),
    room: replicaRoom(dataDir, file, { keepFreeBytes: 0, nowMs: () => performance.now() }),
    nowMs: () => performance.now(),
    metrics: new ReplicaEngineMetrics(new EventLoopDelay("engine", () => performance.now()), {
      maxBacklogBytes: MAX_BACKLOG_BYTES,
    }),
    report: (message) => console.error(message),
    onApplied: () => {},
  });
  const transport = new HttpTransport(parseNodeUrl(primary));
  const receiver = new Receiver({ transport, replicaId: "backlog", isCompressed: false });
  await replica.stand();
  const { logId, epoch, applied } = replica.position!;
  let start = performance.now();
  let bytes = 0;
  for (let isEof = false; !isEof;) {
    const asked = { cursor: replica.received!, logId, epoch, appliedTxid: applied.txid, waitMs: 0 };
    const chunk = await receiver.fetch({ ...asked, maxBytes: CHUNK_BYTES });
    replica.receive(chunk);
    bytes += chunk.bytes.length;
    isEof = chunk.isEof;
  }
  const fetchSeconds = (performance.now() - start) / 1000;
  start = performance.now();
  while (await replica.applyNext());
  const applySeconds = (performance.now() - start) / 1000;
  const { checkpoints, restarts, sizeBytes } = replica.walStatus!;
  await replica.close();
  await transport.close();
  folder.close();
  return { bytes, fetchSeconds, applySeconds, checkpoints, restarts, walBytes: sizeBytes };
}

const result = mode === "parts" ? await parts() : await follow();
console.log(JSON.stringify({ ...result, memoryBytes: peakMemoryBytes(process.pid) }));
