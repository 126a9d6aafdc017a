import { randomBytes } from "node:crypto";
import { setTimeout as after } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { assert, toErrorData } from "../shared/errors.ts";
import { answerQuestion } from "../shared/blocking-question.ts";
import { answerCalls, emit } from "../shared/rpc.ts";
import type { EngineStatus } from "../shared/status.ts";
import { loadDriver } from "../shared/sqlite/driver.ts";
import { DataFolder } from "../shared/storage/data-folder.ts";
import { currentBootId } from "./boot-id.ts";
import type { FollowEvents, FollowMethods, FollowOptions } from "./follow-options.ts";
import { Follower } from "./follower.ts";
import { LocalReplica, assertOwn } from "./local-replica.ts";
import { Receiver } from "./receiver.ts";
import { replicaFiles } from "./replica-files.ts";
import { ReplicaIdentity } from "./replica-identity.ts";
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
    const identity = ReplicaIdentity.open(folder.metaFile, options.replicaId, () =>
      randomBytes(6).toString("hex"),
    );
    const { replicaId } = identity;
    const { replica: local, work } = LocalReplica.open({
      file,
      dataDir,
      driver,
      isDurable: options.durability !== "os",
      seen: identity.seen,
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
          identity.note(position, file);
          source.settled(position);
        },
        state: (state) => tell("state", state),
        message: (text) => tell("message", text),
        failed: (error) => tell("failed", toErrorData(error)),
      },
    });
    const status = (): EngineStatus => follower.status();
    const source = new ServeSource({
      local,
      snapshotsFolder: folder.snapshotsFolder,
      status,
      wallMs: () => Date.now(),
    });
    const methods: FollowMethods = {
      sync: async (timeoutMs) => ({ txid: await follower.sync(timeoutMs), status: status() }),
      waitFor: ({ txid, timeoutMs }) => follower.waitFor(txid, timeoutMs).then(status),
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
    answerQuestion(port, status);
    port.on("message", (message: { kind?: unknown; port?: MessagePort }) => {
      if (message.kind === "connect-serve" && message.port !== undefined) source.connect(message.port);
    });
    follower.start();
  } catch (error) {
    folder.close();
    throw error;
  }
}
