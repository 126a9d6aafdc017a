import { startFollowing } from "../../replica/follow-thread.ts";
import { asTailraceError } from "../../shared/errors.ts";
import type { Call, Command } from "../command.ts";
import { operand } from "../command.ts";
import { EXIT_DONE } from "../exit-code.ts";
import { startNode, stopOrFailure } from "../node.ts";
import { parseNodeUrl } from "../node-client.ts";
import { replicaSettings } from "../node-settings.ts";
import type { ReplicaSettings } from "../node-settings.ts";

export const replicaCommand: Command<ReplicaSettings> = {
  name: "replica",
  summary: "keep FILE byte-identical to the database of the node at URL, while anybody reads it",
  operands: [
    { name: "URL", description: "a primary or another replica, as http://host:4800" },
    {
      name: "FILE",
      description: "the replica's database; made if it is missing, never another database overwritten",
    },
  ],
  settings: replicaSettings,
  run,
};

async function run(call: Call<ReplicaSettings>): Promise<number> {
  const { settings, output } = call;
  const primary = parseNodeUrl(operand(call, 0));
  const stop = call.listenForStop(settings.deadlineMs);
  const { driver, durability, onForeignWrite, deadlineMs, id } = settings;
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
        ...(id === undefined ? {} : { replicaId: id }),
      }),
  });
  await using _ = node.opened;
  const { engine, file, dataDir, address } = node;
  engine.on("message", (text) => output.event("message", { text }, text));
  output.event(
    "serving",
    { role: "replica", file, url: address, primary, dataDir, durability, driver },
    `following ${primary} into ${file}, served in turn at ${address} (own files in ${dataDir})`,
  );
  const ready = engine.ready.then(
    () => true,
    async (error: unknown) => {
      // A URL that leads elsewhere: nothing of it stays on the disk.
      if (asTailraceError(error).code === "not_tailrace") await node.discard();
      throw error;
    },
  );
  // `ready` fails together with the engine, and knows what to do about it; so it alone is waited for at first.
  const isReady = await Promise.race([ready, stop.requested.then(() => false)]);
  if (isReady) {
    output.event("ready", { file }, `${file} can be read`);
    await stopOrFailure(stop, node);
  }
  output.event("stopping", {}, "stopping");
  await node.opened.disposeAsync();
  output.event("stopped", {}, `stopped; ${file} is an ordinary SQLite database`);
  return EXIT_DONE;
}
