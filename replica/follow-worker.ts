import { randomBytes } from "node:crypto";
import { setTimeout as after } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { TailraceError, assert, toErrorData } from "../shared/errors.ts";
import type { Position } from "../shared/format/position.ts";
import { answerCalls, emit } from "../shared/rpc.ts";
import { loadDriver } from "../shared/sqlite/driver.ts";
import { DataFolder } from "../shared/storage/data-folder.ts";
import { readMeta, writeMeta } from "../shared/storage/meta-file.ts";
import type { Meta } from "../shared/storage/meta-file.ts";
import { identityOf } from "../shared/sqlite/held-files.ts";
import { currentBootId } from "./boot-id.ts";
import type { FollowEvents, FollowMethods, FollowOptions } from "./follow-options.ts";
import { Follower } from "./follower.ts";
import { LocalReplica, assertOwn } from "./local-replica.ts";
import { Receiver } from "./receiver.ts";
import { replicaFiles } from "./replica-files.ts";
import { ServeSource } from "./serve-source.ts";
import { SnapshotClient } from "./snapshot-client.ts";
import { HttpTransport, parseNodeUrl } from "./transport.ts";

/*
 * The thread in which a replica lives: it fetches, applies and checkpoints, whatever the user's thread does. Here its
 * parts are wired to the clock, to randomness and to the network.
 */
assert(parentPort !== null, "the follow worker runs as a worker");
const port: MessagePort = parentPort;
const tell = <K extends keyof FollowEvents>(name: K, value: FollowEvents[K]): void =>
  emit<FollowEvents, K>(port, name, value);

start(workerData as FollowOptions).then(
  () => tell("opened", null),
  (error: unknown) => tell("opened", toErrorData(error)),
);

async function start(options: FollowOptions): Promise<void> {
  const { file, dataDir, onForeignWrite } = options;
  const node = parseNodeUrl(options.primary);
  const driver = await loadDriver(options.driverName);
  // Before the data folder is made: where a database of somebody's stands, nothing is changed.
  assertOwn(file, replicaFiles(dataDir));
  const folder = DataFolder.open(dataDir, driver);
  try {
    const known = readMeta(folder.metaFile);
    if (known?.role === "primary") throw ofPrimary(dataDir);
    const replicaId = options.replicaId ?? known?.replicaId ?? randomBytes(6).toString("hex");
    const { replica: local, work } = LocalReplica.open({
      file,
      dataDir,
      driver,
      isDurable: options.durability !== "os",
      bootId: options.bootId ?? currentBootId(),
      nowMs: () => performance.now(),
      report: (text) => tell("message", text),
      onApplied: (position) => {
        follower.applied(position);
        tell("applied", { txid: position.applied.txid });
      },
    });
    const transport = new HttpTransport(node);
    const isLoopback = /^(localhost|127\..*|\[::1\])$/.test(node.hostname);
    let noted: Meta | undefined = known;
    const follower: Follower = new Follower({
      local,
      work,
      receiver: new Receiver({ transport, replicaId, isCompressed: !isLoopback }),
      client: new SnapshotClient(transport),
      source: node.href,
      replicaId,
      file,
      onForeignWrite,
      wallMs: () => Date.now(),
      random: () => Math.random(),
      sleep: (ms, signal) => after(ms, undefined, { signal }).catch(() => undefined),
      events: {
        ready: () => tell("ready", null),
        rebuilt: () => tell("rebuilt", null),
        settled: (position) => {
          noted = noteHistory(folder.metaFile, noted, position, replicaId, file);
          source.settled(position);
        },
        state: (state) => tell("state", state),
        message: (text) => tell("message", text),
        failed: (error) => tell("failed", toErrorData(error)),
      },
    });
    const status = (): Record<string, unknown> => follower.status();
    const source = new ServeSource({
      local,
      snapshotsFolder: folder.snapshotsFolder,
      status,
      wallMs: () => Date.now(),
    });
    const methods: FollowMethods = {
      sync: (timeoutMs) => follower.sync(timeoutMs),
      waitFor: ({ txid, timeoutMs }) => follower.waitFor(txid, timeoutMs),
      status,
      close: async () => {
        try {
          await follower.close();
        } finally {
          source.close();
          await transport.close();
          folder.close();
        }
      },
    };
    answerCalls(port, methods);
    port.on("message", (message: { kind?: unknown; port?: MessagePort }) => {
      if (message.kind === "connect-serve" && message.port !== undefined) source.connect(message.port);
    });
    follower.start();
  } catch (error) {
    folder.close();
    throw error;
  }
}

/** meta.json says whose folder it is, for tools and humans; the position alone is what counts. */
function noteHistory(
  path: string,
  noted: Meta | undefined,
  { logId, epoch, pageSizeBytes }: Position,
  replicaId: string,
  file: string,
): Meta {
  if (
    noted?.role === "replica" &&
    noted.logId === logId &&
    noted.epoch === epoch &&
    noted.replicaId === replicaId
  )
    return noted;
  const meta: Meta = {
    role: "replica",
    replicaId,
    logId,
    epoch,
    pageSizeBytes,
    databaseFile: identityOf(file),
  };
  writeMeta(path, meta);
  return meta;
}

function ofPrimary(dataDir: string): TailraceError {
  return new TailraceError("invalid_configuration", `${dataDir} is the data folder of a primary`, {
    hint: "Choose another path for the replica.",
  });
}
