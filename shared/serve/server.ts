import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { MessagePort } from "node:worker_threads";
import { getRequestListener } from "@hono/node-server";
import { TailraceError } from "../errors.ts";
import { EngineAnswers } from "../metrics/engine-answer.ts";
import { EventLoopDelay } from "../metrics/event-loop.ts";
import { ServerMetrics } from "../metrics/server.ts";
import { HEADER, PROTOCOL_VERSION } from "../protocol.ts";
import { createApp } from "./app.ts";
import { ChunkSource } from "./chunk-source.ts";
import { GenerationHolds } from "./generation-holds.ts";
import { History, keepHistory } from "./history.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import type { ServeLimits } from "./limits.ts";
import { NodeState } from "./node-state.ts";
import type { Parts } from "./parts.ts";
import { problemResponse } from "./problem.ts";
import { Reporter } from "./reporter.ts";
import { Sightings } from "./sightings.ts";
import { StatusSource } from "./status-source.ts";
import { limitTakingOfRest } from "./taking-time.ts";
import { Waiters } from "./waiters.ts";

/** Connections that may stand in line while the thread is busy: a thousand replicas come back at once. */
const BACKLOG = 4096;

export interface ServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The folder of segments. */
  readonly logFolder: string;
  /** The engine's end answers EngineMethods and emits EngineEvents. */
  readonly enginePort: MessagePort;
  readonly role: "primary" | "replica";
  /** Of Tailrace. */
  readonly version: string;
  readonly limits?: Partial<ServeLimits>;
}

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** Resolves when the engine has said whether it can serve: from then on the answers are the node's own. */
  readonly spoken: Promise<void>;
  /** Unready at once, no new connections; then waits for what is under way, at most until the deadline. */
  readonly close: (deadlineMs: number) => Promise<void>;
}

/**
 * Serves a node in this thread.
 *
 * @throws address_in_use; invalid_configuration for an address that this machine does not have
 */
export async function runServer(options: ServerOptions, clock: () => number): Promise<RunningServer> {
  const limits: ServeLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const eventLoop = new EventLoopDelay("server", () => performance.now());
  const parts = assemble(options, limits, clock, new ServerMetrics(eventLoop));
  const server = createHttpServer(parts);
  const { port } = await listen(server, options);
  const ended = new AbortController();
  keepHistory(parts.history, () => parts.status.read(), ended.signal);
  const tidying = setInterval(() => parts.chunks.letGo(), limits.cacheMs);
  return {
    host: options.host,
    port,
    spoken: parts.state.spoken,
    close: (deadlineMs) => {
      ended.abort();
      clearInterval(tidying);
      eventLoop.close();
      parts.state.stop();
      return closeServer(server, deadlineMs);
    },
  };
}

function assemble(
  { logFolder, enginePort, role, version }: ServerOptions,
  limits: ServeLimits,
  clock: () => number,
  metrics: ServerMetrics,
): Parts {
  const state = new NodeState(enginePort);
  const sightings: Sightings = new Sightings({
    clock,
    maxReplicas: limits.maxReplicas,
    onChange: (isNew) => reporter.changed(isNew),
  });
  const holds: GenerationHolds = new GenerationHolds({
    tell: () => reporter.along((report) => state.ask(limits.engineAnswerMs, "report", report)),
    onEnd: () => reporter.changed(false),
  });
  const reporter: Reporter = new Reporter({
    takeChanged: () => sightings.takeChanged(),
    giveBack: (taken) => sightings.giveBack(taken),
    heldGenerations: () => holds.held,
    send: (report) => state.report(report),
    isEngineGone: () => state.isEngineGone,
    clock,
  });
  const parts = {
    role,
    version,
    state,
    sightings,
    holds,
    reporter,
    waiters: new Waiters(state, limits.maxWaitingRequests),
    chunks: new ChunkSource(logFolder, limits),
    downloads: { count: 0 },
    connections: { count: 0 },
    metrics,
    engineMetrics: new EngineAnswers(
      () => state.ask(limits.engineWorkMs, "metrics"),
      clock,
      limits.engineStatusMs,
    ),
    limits,
    clock,
    startedMs: clock(),
  };
  return { ...parts, status: new StatusSource(parts), history: new History() };
}

function createHttpServer(parts: Parts): Server {
  const { limits } = parts;
  const listener = getRequestListener(createApp(parts).fetch, {
    overrideGlobalObjects: false,
    // A request that cannot even be understood as one: an unusable host or path.
    errorHandler: (error) =>
      problemResponse(new TailraceError("invalid_request", `not a usable request: ${String(error)}`), {
        [HEADER.protocol]: String(PROTOCOL_VERSION),
      }),
  });
  const answer = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    limitTakingOfRest(outgoing, limits);
    void listener(incoming, outgoing);
  };
  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      requestTimeout: limits.requestMs,
      headersTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleSocketMs,
      noDelay: true,
    },
    answer,
  );
  // No route reads a body, so none is asked for: what Node writes for it gets among the answers of a pipeline.
  server.on("checkContinue", answer);
  server.maxConnections = limits.maxConnections;
  server.on("connection", (socket) => {
    parts.connections.count += 1;
    socket.once("close", () => (parts.connections.count -= 1));
  });
  server.setTimeout(limits.idleSocketMs);
  return server;
}

function listen(server: Server, { host, port }: ServerOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(listenError(cause, host, port)));
    server.listen({ host, port, backlog: BACKLOG }, () => resolve(server.address() as AddressInfo));
  });
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): TailraceError {
  const where = `${host}:${port}`;
  if (cause.code === "EADDRINUSE") {
    return new TailraceError("address_in_use", `${where} is in use by another process`, {
      cause,
      hint: "Choose another port with --port, or 0 for any that is free.",
    });
  }
  return new TailraceError("invalid_configuration", `cannot listen on ${where}: ${cause.message}`, {
    cause,
    hint: "Give an address of this machine with --host, and a port that this user may take.",
  });
}

const IDLE_CHECK_MS = 10;

async function closeServer(server: Server, deadlineMs: number): Promise<void> {
  const deadline = setTimeout(() => server.closeAllConnections(), deadlineMs);
  // A connection that is answered only now would be kept open for the next request of its client, which never comes.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
  try {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
  } finally {
    clearTimeout(deadline);
    clearInterval(idle);
  }
}
