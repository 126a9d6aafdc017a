import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../errors.ts";
import { answerCalls } from "../rpc.ts";
import { runServer } from "./server.ts";
import type { RunningServer, ServerOptions } from "./server.ts";

/** The calls that {@link ./serve-thread.ts} makes to this thread. */
export type ServeMethods = {
  start: () => Promise<{ readonly port: number }>;
  /** Ends when the engine has said whether it can serve. */
  engineHasSpoken: () => Promise<void>;
  close: (argument: { readonly deadlineMs: number }) => Promise<void>;
};

assert(parentPort !== null, "serve-worker runs as a worker");
let server: RunningServer | undefined;

answerCalls(parentPort, {
  start: async () => {
    server = await runServer(workerData as ServerOptions, Date.now);
    return { port: server.port };
  },
  engineHasSpoken: async () => {
    await server?.spoken;
  },
  close: async ({ deadlineMs }) => {
    await server?.close(deadlineMs);
  },
} satisfies ServeMethods);
