import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { MessageChannel } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { asTailraceError } from "../shared/errors.ts";
import type { TailraceError } from "../shared/errors.ts";
import { startServer } from "../shared/serve/serve-thread.ts";
import { loadDriver } from "../shared/sqlite/driver.ts";
import type { Driver, DriverName } from "../shared/sqlite/driver.ts";
import { assertSafeAddress } from "./address.ts";
import { claimFile } from "./driver-registry.ts";
import { assertSupportedHost } from "./host.ts";
import type { Listen } from "./options.ts";
import { dataFolderOf, databasePath, logFolderOf } from "./paths.ts";
import { packageVersion } from "./version.ts";

/** What a node needs of its engine: capture on a primary, following on a replica. */
interface Engine {
  /** Answers the serving thread's calls on the port, and tells it of each new head. */
  connectServe(port: MessagePort): Promise<void> | void;
  /** Nothing helps any more but a human. */
  on(name: "failed", listener: (error: TailraceError) => void): unknown;
  close(): Promise<void>;
}

export interface NodeOptions<E extends Engine> {
  readonly role: "primary" | "replica";
  readonly file: string;
  readonly dataDir: string | undefined;
  readonly driver: DriverName;
  readonly listen: Listen | undefined;
  readonly deadlineMs?: number | undefined;
  /** Starts the engine, given absolute paths. */
  readonly start: (paths: { readonly file: string; readonly dataDir: string }) => Promise<E>;
}

/** An engine and, where it listens, its server. */
export interface Node<E extends Engine> {
  readonly engine: E;
  /** Absolute path of the database. */
  readonly file: string;
  readonly dataDir: string;
  /** `http://host:port`; undefined where nothing is served. */
  readonly address: string | undefined;
  readonly driver: Driver;
  /** Resolves with the reason when the engine or the serving thread has ended without being asked to. */
  readonly failed: Promise<TailraceError>;
  /** Closes what is open and removes the data folder, if this start has made it: for input that proves wrong later. */
  readonly discard: () => Promise<void>;
  /** What has been opened, last first. Whoever opens more on top adds it here. */
  readonly opened: AsyncDisposableStack;
}

const SERVER_CLOSE_MS = 2_000;

/**
 * Starts a node's threads: the server, and the engine behind it. A failure closes again what had been opened, and
 * leaves no data folder where there was none.
 *
 * @throws invalid_configuration, unsupported_file_system, driver_conflict, driver_unavailable, address_in_use; whatever
 *   the engine finds wrong
 */
export async function startNode<E extends Engine>({
  role,
  listen,
  driver: driverName,
  deadlineMs = SERVER_CLOSE_MS,
  start,
  ...given
}: NodeOptions<E>): Promise<Node<E>> {
  assertSupportedHost();
  if (listen !== undefined) assertSafeAddress(listen.host, listen.insecure);
  const file = databasePath(given.file);
  const dataDir = dataFolderOf(file, given.dataDir);
  const opened = new AsyncDisposableStack();
  const isNewDataDir = !existsSync(dataDir);
  const discard = async (): Promise<void> => {
    await opened.disposeAsync();
    // What cannot be removed stays: whoever called this has the reason why nothing was opened.
    if (isNewDataDir) await rm(dataDir, { recursive: true, force: true }).catch(() => {});
  };
  try {
    opened.defer(claimFile(file, driverName));
    const driver = await loadDriver(driverName);
    // The server comes before the engine: with the port in use, nothing on disk may have changed. Until the engine
    // answers on the channel, the server says that it is not ready.
    const { port1: enginePort, port2: serverPort } = new MessageChannel();
    opened.defer(() => enginePort.close());
    const server =
      listen === undefined
        ? undefined
        : await startServer({
            host: listen.host,
            port: listen.port,
            logFolder: logFolderOf(dataDir),
            enginePort: serverPort,
            role,
            version: packageVersion(),
          });
    // Used when there is no engine yet to be closed after it.
    const unserve = new AsyncDisposableStack();
    if (server !== undefined) unserve.defer(() => server.close(Math.min(deadlineMs, SERVER_CLOSE_MS)));
    opened.use(unserve);

    const engine = await start({ file, dataDir });
    opened.defer(() => engine.close());
    opened.defer(claimFile(file, driverName));
    if (server !== undefined) {
      await engine.connectServe(enginePort);
      // Once its address is told, a primary has an answer. A replica may first have to wait for its primary.
      if (role === "primary") await server.engineHasSpoken();
    }
    // Stopping: unready and no new requests first, then the engine, so that no answer comes from half an engine.
    opened.defer(() => unserve.disposeAsync());
    return {
      engine,
      file,
      dataDir,
      address: server?.url,
      driver,
      discard,
      opened,
      failed: Promise.race([
        new Promise<TailraceError>((resolve) => engine.on("failed", resolve)),
        ...(server === undefined ? [] : [server.failed]),
      ]),
    };
  } catch (error) {
    // In use means that another process has made the folder since.
    if (asTailraceError(error).code === "data_folder_in_use") await opened.disposeAsync();
    else await discard();
    throw error;
  }
}
