import { startFollowing } from "../../replica/follow-thread.ts";
import { asTailraceError } from "../../shared/errors.ts";
import type { Call } from "../command.ts";
import { operand } from "../command.ts";
import { EXIT_DONE } from "../exit-code.ts";
import { withoutCredentials } from "../log/redact.ts";
import { parseNodeUrl } from "../node-url.ts";
import { REPLICA_LIMIT_KEYS, limitsForEngine } from "../configuration/node-limits.ts";
import type { ReplicaSettings } from "../configuration/node-settings.ts";
import { startNode } from "../node.ts";
import { serve } from "../serving.ts";
import type { Serving } from "../serving.ts";

/** What {@link ../commands.ts} says of `replica`. */
export function run(call: Call<ReplicaSettings>): Promise<number> {
  return serve(call, (serving) => runNode(call, serving));
}

async function runNode(
  call: Call<ReplicaSettings>,
  { log, stop, untilStopped, onReload }: Serving<ReplicaSettings>,
): Promise<number> {
  const { settings } = call;
  const primary = parseNodeUrl(operand(call, 0));
  const { driver, durability, onForeignWrite, keepFreeBytes, deadlineMs, id } = settings;
  const node = await startNode({
    role: "replica",
    file: operand(call, 1),
    dataDir: settings.dataDir,
    driver,
    listen: settings,
    deadlineMs,
    start: (paths) =>
      startFollowing({
        ...paths,
        primary,
        driverName: driver,
        durability,
        onForeignWrite,
        keepFreeBytes,
        ...limitsForEngine(REPLICA_LIMIT_KEYS, settings),
        ...(id === undefined ? {} : { replicaId: id }),
      }),
  });
  await using _ = node.opened;
  const { engine, file, dataDir, address } = node;
  engine.on("notice", (notice) => log.notice(notice));
  onReload((next) => engine.configure(limitsForEngine(REPLICA_LIMIT_KEYS, next)));
  const source = withoutCredentials(primary);
  log.step(
    "serving",
    { role: "replica", file, url: address ?? null, primary: source, dataDir, durability, driver },
    `following ${source} into ${file}, served in turn at ${address}, which is also its status page (own files in ${dataDir})`,
  );
  const failedBeforeReady = engine.ready.then(
    () => undefined,
    (error: unknown) => asTailraceError(error),
  );
  // `ready` fails together with the engine, and knows why; so it alone is waited for at first.
  const failure = await Promise.race([failedBeforeReady, stop.requested]);
  const isReady = failure === undefined && !stop.signal.aborted;
  if (isReady) log.step("ready", { file }, `${file} can be read`);
  const exitCode = await untilStopped(failure === undefined ? node.failed : Promise.resolve(failure));
  // A URL that leads elsewhere: nothing of it stays on the disk.
  if (failure?.code === "not_tailrace") await node.discard();
  if (exitCode === EXIT_DONE) log.step("stopping", {}, "stopping");
  await node.opened.disposeAsync();
  const what = isReady ? `; ${file} is an ordinary SQLite database` : "";
  if (exitCode === EXIT_DONE) log.step("stopped", {}, `stopped${what}`);
  return exitCode;
}
