import { EXIT_DONE } from "../exit-code.ts";
import type { Call, Command } from "../command.ts";
import { operand } from "../command.ts";
import { startNode, stopOrFailure } from "../node.ts";
import { primarySettings } from "../node-settings.ts";
import type { PrimarySettings } from "../node-settings.ts";
import { startCapture } from "../../primary/capture-thread.ts";

export const primaryCommand: Command<PrimarySettings> = {
  name: "primary",
  summary: "follow the commits of FILE, whoever writes it, and serve them to replicas",
  operands: [{ name: "FILE", description: "the database; created if it is missing" }],
  settings: primarySettings,
  run,
};

async function run(call: Call<PrimarySettings>): Promise<number> {
  const { settings, output } = call;
  const stop = call.listenForStop(settings.deadlineMs);
  const { driver, durability, deadlineMs } = settings;
  const node = await startNode({
    role: "primary",
    file: operand(call, 0),
    dataDir: settings.dataDir,
    driver,
    listen: settings,
    deadlineMs,
    start: (paths) => startCapture({ ...paths, driverName: driver, durability }),
  });
  await using _ = node.opened;
  const { engine, file, dataDir, address } = node;
  engine.on("message", (text) => output.event("message", { text }, text));
  engine.on("trouble", (error) => {
    output.event(
      "trouble",
      { error },
      error === null ? "well again" : `retrying after ${error.code}: ${error.message}`,
    );
  });
  output.event(
    "serving",
    { role: "primary", file, url: address, dataDir, durability, driver },
    `serving ${file} at ${address} (durability ${durability}, own files in ${dataDir})`,
  );
  await stopOrFailure(stop, node);
  output.event("stopping", {}, "stopping");
  await node.opened.disposeAsync();
  output.event("stopped", {}, `stopped; ${file} is an ordinary SQLite database`);
  return EXIT_DONE;
}
