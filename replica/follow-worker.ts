import { randomBytes } from "node:crypto";
import { setTimeout as after } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { assert, toErrorData } from "../shared/errors.ts";
import { answerQuestion } from "../shared/blocking-question.ts";
import { EventLoopDelay } from "../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import { message } from "../shared/notice.ts";
import type { Notice } from "../shared/notice.ts";
import { answerCalls, emit } from "../shared/rpc.ts";
import type { ReplicaEngineStatus } from "../shared/status.ts";
import { loadDriver } from "../shared/sqlite/driver.ts";
import { DataFolder } from "../shared/storage/data-folder.ts";
import { KEEP_FREE_BYTES, replicaRoom } from "../shared/storage/disk-room.ts";
import { DiskGauge } from "../shared/storage/disk-space.ts";
import { tellVerification } from "../shared/verification/verification-notices.ts";
import { Verification } from "../shared/verification/verification.ts";
import { currentBootId } from "../shared/storage/boot-id.ts";
import { Feed } from "./feed.ts";
import type { FollowEvents, FollowMethods, FollowOptions } from "./follow-options.ts";
import { Follower } from "./follower.ts";
import { MAX_BACKLOG_BYTES } from "./log-intake.ts";
import { assertOwn } from "./first-look.ts";
import { LocalReplica } from "./local-replica.ts";
import { Receiver } from "./receiver.ts";
import { replicaFiles } from "./replica-files.ts";
import { ReplicaIdentity } from "./replica-identity.ts";
import { ServeSource } from "./serve-source.ts";
import { notExact } from "./standing.ts";
import { SnapshotClient } from "./snapshot-client.ts";
import { HttpTransport, nodeName, parseNodeUrl } from "./transport.ts";

/*
 * The thread in which a replica lives: it fetches, applies and checkpoints, whatever the user's thread does. Here its
 * parts are wired to the clock, to randomness and to the network.
 */
assert(parentPort !== null, "the follow worker runs as a worker");
const port: MessagePort = parentPort;
const tell = <K extends keyof FollowEvents>(name: K, value: FollowEvents[K]): void =>
  emit<FollowEvents, K>(port, name, value);

const say = (notice: Notice): void => tell("notice", notice);

start(workerData as FollowOptions).then(
  () => tell("opened", null),
  (error: unknown) => tell("opened", toErrorData(error)),
);

async function start(options: FollowOptions): Promise<void> {
  const { file, dataDir, onForeignWrite } = options;
  const node = parseNodeUrl(options.primary);
  const driver = await loadDriver(options.driverName);
  // Before the data folder is made: where a database of somebody's stands, nothing is changed.
  assertOwn(file, replicaFiles(dataDir, file));
  const folder = DataFolder.open(dataDir, driver);
  try {
    const identity = ReplicaIdentity.open(folder.metaFile, options.replicaId, () =>
      randomBytes(6).toString("hex"),
    );
    const { replicaId } = identity;
    const eventLoop = new EventLoopDelay("engine", () => performance.now());
    const metrics = new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: MAX_BACKLOG_BYTES });
    const shared = {
      wallMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      sleep: (ms: number, signal: AbortSignal) => after(ms, undefined, { signal }).catch(() => undefined),
    };
    const { replica: local, work } = LocalReplica.open({
      file,
      dataDir,
      driver,
      isDurable: options.durability !== "os",
      seen: identity.seen,
      bootId: options.bootId ?? currentBootId(),
      room: replicaRoom(dataDir, file, {
        keepFreeBytes: options.keepFreeBytes ?? KEEP_FREE_BYTES,
        nowMs: () => performance.now(),
      }),
      nowMs: () => performance.now(),
      metrics,
      report: (text) => say(message(text)),
      belongings: [folder, identity],
      onApplied: (position) => {
        follower.applied(position);
        tell("applied", { txid: position.applied.txid });
      },
    });
    const transport = new HttpTransport(node);
    const disk = new DiskGauge(dataDir, () => performance.now());
    const feed = new Feed({
      ...shared,
      metrics,
      local,
      logFolder: folder.logFolder,
      snapshotsFolder: folder.snapshotsFolder,
      replicasFile: replicaFiles(dataDir, file).replicas,
      durability: options.durability,
      limits: options,
      receivedBytes: () => follower.receivedBytes,
      primaryNowMs: () => follower.primaryNowMs,
      freshAsOfMs: () => follower.freshAsOfMs,
      disk: () => disk.read(),
      tell: say,
      onError: (error) => follower.noteError(error),
    });
    const isLoopback = /^(localhost|127\..*|\[::1\])$/.test(node.hostname);
    const follower: Follower = new Follower({
      ...shared,
      metrics,
      local,
      work,
      receiver: new Receiver({ transport, replicaId, isCompressed: !isLoopback }),
      client: new SnapshotClient(transport, shared.monotonicMs),
      source: nodeName(node),
      replicaId,
      file,
      onForeignWrite,
      random: () => Math.random(),
      events: {
        ready: () => tell("ready", null),
        rebuilt: () => tell("rebuilt", null),
        settled: (position) => {
          identity.note(position, file);
          source.settled(position);
        },
        tended: () => {
          feed.tend();
          source.tended();
        },
        state: (state) => tell("state", state),
        notice: say,
        failed: (error) => tell("failed", toErrorData(error)),
      },
    });
    const status = (): ReplicaEngineStatus => ({ ...follower.status(), ...feed.status() });
    const verification = new Verification({
      clock: () => Date.now(),
      hashOf: (page) => local.hashOf(page),
      open: () => {
        const { view, position } = local.view();
        return { view, txid: position.applied.txid, databaseChecksum: position.applied.checksum };
      },
      openLog() {
        const { position, logStart } = local;
        if (position === undefined || logStart === undefined) throw notExact();
        const { logId, applied } = position;
        const { cursor: end, txid: headTxid } = applied;
        return { folder: folder.logFolder, logId, start: logStart, end, headTxid, sizeBytes: feed.logBytes };
      },
      onEnd(ended) {
        metrics.verifications.inc({ result: ended.state });
        tellVerification(ended, {
          notify: say,
          onError: (error) => follower.noteError(toErrorData(error)),
          giveUp: (damage) => feed.giveUpThrough(damage),
        });
      },
    });
    const source: ServeSource = new ServeSource({
      logStart: () => local.logStart,
      source: () => follower.sourceStanding,
      onHead: (head) => feed.settled(head),
      onServerGone: () => feed.report({ sightings: [], heldGenerations: [] }),
      methods: {
        status: (report) => {
          feed.report(report);
          return status();
        },
        report: (report) => feed.report(report),
        snapshot: () => feed.snapshot(),
        takeSnapshot: () => feed.takeSnapshot(),
        checkpoint: () => local.checkpoint(),
        forget: (id) => feed.forget(id),
        segments: () => feed.segments(),
        startVerification: () => verification.start(),
        verification: () => verification.status(),
        metrics: () => metrics.json(status()),
      },
    });
    const methods: FollowMethods = {
      sync: async (timeoutMs) => ({ txid: await follower.sync(timeoutMs), status: status() }),
      waitFor: ({ txid, timeoutMs }) => follower.waitFor(txid, timeoutMs).then(status),
      status,
      snapshot: () => feed.takeSnapshot(),
      checkpoint: () => local.checkpoint(),
      forget: (id) => feed.forget(id),
      configure: (limits) => feed.configure(limits),
      close: async () => {
        try {
          await verification.close();
          await feed.close();
          await follower.close();
        } finally {
          source.close();
          await transport.close();
          folder.close();
          eventLoop.close();
        }
      },
    };
    answerCalls(port, methods);
    answerQuestion(port, status);
    port.on("message", (sent: { kind?: unknown; port?: MessagePort }) => {
      if (sent.kind === "connect-serve" && sent.port !== undefined) source.connect(sent.port);
    });
    follower.start();
  } catch (error) {
    folder.close();
    throw error;
  }
}
