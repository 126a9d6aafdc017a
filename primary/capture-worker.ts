import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { TailraceError, asTailraceError, assert, toErrorData } from "../shared/errors.ts";
import type { ErrorData } from "../shared/errors.ts";
import { answerQuestion } from "../shared/blocking-question.ts";
import { answerCalls, emit } from "../shared/rpc.ts";
import type { Notice } from "../shared/notice.ts";
import type { CheckpointOutcome, EngineEvents, EngineMethods, SnapshotInfo } from "../shared/serve/engine.ts";
import type { PrimaryEngineStatus, ReplicaStatus } from "../shared/status.ts";
import type { Cursor, Txid } from "../shared/units.ts";
import type { CaptureLimits, CaptureOptions } from "./capture-options.ts";
import { PrimaryEngine } from "./primary-engine.ts";

/** What this thread answers. `start` first, `close` last. */
export type CaptureMethods = {
  start: () => Promise<void>;
  durable: () => Promise<{ txid: Txid; cursor: Cursor }>;
  status: () => PrimaryEngineStatus;
  snapshot: () => Promise<SnapshotInfo>;
  checkpoint: () => Promise<CheckpointOutcome>;
  /** @throws replica_unknown */
  forget: (id: string) => ReplicaStatus;
  /** What is not given stays as it is. */
  configure: (limits: Partial<CaptureLimits>) => void;
  close: () => Promise<void>;
};

export type CaptureEvents = {
  notice: Notice;
  /** An error that is being retried; null when it has passed. */
  trouble: ErrorData | null;
  /** The capture has ended by an error. */
  failed: ErrorData;
};

/** A message beside the calls: a serving thread's end of a channel. */
export interface ServePortMessage {
  readonly kind: "serve-port";
  readonly port: MessagePort;
}

assert(parentPort !== null, "the capture runs as a worker");
const port = parentPort;
const servePorts = new Set<MessagePort>();
let engine: PrimaryEngine | undefined;
let ended: Promise<void> = Promise.resolve();
let unready: ErrorData | null = null;

function started(): PrimaryEngine {
  if (engine === undefined)
    throw new TailraceError("not_ready", "the primary is not open", { retryable: true });
  return engine;
}

function announceUnready(error: ErrorData | null): void {
  unready = error;
  for (const serve of servePorts) emit<EngineEvents, "unready">(serve, "unready", error);
}

const methods: CaptureMethods = {
  async start() {
    engine = await PrimaryEngine.start(workerData as CaptureOptions, {
      onHead(head) {
        for (const serve of servePorts) emit<EngineEvents, "head">(serve, "head", head);
      },
      onTrouble(error) {
        emit<CaptureEvents, "trouble">(port, "trouble", error);
      },
      onUnready: announceUnready,
      notify(notice) {
        emit<CaptureEvents, "notice">(port, "notice", notice);
      },
    });
    ended = engine.run().catch((error: unknown) => {
      const failure = toErrorData(asTailraceError(error));
      emit<CaptureEvents, "failed">(port, "failed", failure);
      announceUnready(failure);
    });
  },
  durable: () => started().durable(),
  status: () => started().status(),
  snapshot: () => started().takeSnapshot(),
  checkpoint: () => started().checkpoint(),
  forget: (id) => started().forget(id),
  configure: (limits) => started().configure(limits),
  async close() {
    engine?.close();
    await ended;
  },
};
answerCalls(port, methods);
answerQuestion(port, methods.status);

port.on("message", (message: ServePortMessage | { readonly kind: "call" }) => {
  if (message.kind === "serve-port") connect(message.port);
});

function connect(serve: MessagePort): void {
  const engineMethods: EngineMethods = {
    status(report) {
      engine?.report(report, serve);
      return started().status();
    },
    report: (report) => engine?.report(report, serve),
    snapshot: () => started().latestSnapshot(),
    takeSnapshot: () => started().takeSnapshot(),
    checkpoint: () => started().checkpoint(),
    forget: (id) => started().forget(id),
    segments: () => started().segments(),
    startVerification: () => started().startVerification(),
    verification: () => started().verification(),
    metrics: () => started().metrics(),
  };
  answerCalls(serve, engineMethods);
  servePorts.add(serve);
  serve.on("close", () => {
    servePorts.delete(serve);
    engine?.forgetServer(serve);
  });
  const head = engine?.head;
  if (head !== undefined) emit<EngineEvents, "head">(serve, "head", head);
  if (unready !== null) emit<EngineEvents, "unready">(serve, "unready", unready);
}
