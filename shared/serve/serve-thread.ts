import { TailraceError } from "../errors.ts";
import { RpcClient } from "../rpc.ts";
import { startThread, workerUrl } from "../threads.ts";
import type { ServeMethods } from "./serve-worker.ts";
import type { ServerOptions } from "./server.ts";

export type { ServerOptions } from "./server.ts";

/** A node's HTTP server in a thread of its own. */
export interface ServeThread {
  readonly host: string;
  /** The one taken, also where 0 was asked for. */
  readonly port: number;
  /** `http://host:port` */
  readonly url: string;
  /**
   * Resolves when the engine has said whether it can serve, and requests are answered accordingly. @throws internal, when
   * the thread has ended
   */
  readonly engineHasSpoken: () => Promise<void>;
  /** Resolves with the reason when the thread ends without being asked to. */
  readonly failed: Promise<TailraceError>;
  /** Unready at once, no new connections; what is under way has until the deadline. Then the thread ends. */
  readonly close: (deadlineMs: number) => Promise<void>;
}

/**
 * Starts serving. Until the engine sends its first head through the other end of `enginePort`, the node answers that
 * it is not ready.
 *
 * @throws address_in_use, invalid_configuration
 */
export async function startServer(options: ServerOptions): Promise<ServeThread> {
  const { host, enginePort } = options;
  const worker = startThread(workerUrl("./serve-worker", import.meta.url), {
    name: "tailrace-serve",
    workerData: options,
    transferList: [enginePort],
  });
  const calls = new RpcClient<ServeMethods, Record<string, never>>(worker);
  const failure = Promise.withResolvers<TailraceError>();
  let isClosing = false;
  const ended = (cause: unknown): void => {
    const error = new TailraceError("internal", `the serving thread has ended: ${String(cause)}`, { cause });
    calls.fail(error);
    if (!isClosing) failure.resolve(error);
  };
  worker.on("error", ended);
  worker.on("exit", (code) => ended(`exit ${code}`));
  try {
    const { port } = await calls.call("start");
    return {
      host,
      port,
      url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
      failed: failure.promise,
      engineHasSpoken: () => calls.call("engineHasSpoken"),
      close: async (deadlineMs) => {
        isClosing = true;
        await calls.call("close", { deadlineMs }).catch(() => undefined);
        await worker.terminate();
      },
    };
  } catch (error) {
    isClosing = true;
    await worker.terminate();
    throw error;
  }
}
