import { startCapture } from "../../primary/capture-thread.ts";
import type { Call, Command } from "../command.ts";
import { operand } from "../command.ts";
import { EXIT_DONE } from "../exit-code.ts";
import { PRIMARY_LIMIT_KEYS, limitsForEngine } from "../configuration/node-limits.ts";
import { primarySettings } from "../configuration/node-settings.ts";
import type { PrimarySettings } from "../configuration/node-settings.ts";
import { startNode } from "../node.ts";
import { serve } from "../serving.ts";
import type { Serving } from "../serving.ts";

export const primaryCommand: Command<PrimarySettings> = {
  name: "primary",
  summary: "follow the commits of FILE, whoever writes it, and serve them to replicas",
  operands: [{ name: "FILE", description: "the database; created if it is missing" }],
  settings: primarySettings,
  run: (call) => serve(call, (serving) => run(call, serving)),
};

async function run(
  call: Call<PrimarySettings>,
  { log, untilStopped, onReload }: Serving<PrimarySettings>,
): Promise<number> {
  const { settings } = call;
  const { driver, durability, deadlineMs, segmentSizeBytes } = settings;
  const node = await startNode({
    role: "primary",
    file: operand(call, 0),
    dataDir: settings.dataDir,
    driver,
    listen: settings,
    deadlineMs,
    start: (paths) =>
      startCapture({
        ...paths,
        driverName: driver,
        durability,
        segmentSizeBytes,
        ...limitsForEngine(PRIMARY_LIMIT_KEYS, settings),
      }),
  });
  await using _ = node.opened;
  const { engine, file, dataDir, address } = node;
  engine.on("notice", (notice) => log.notice(notice));
  onReload((next) => engine.configure(limitsForEngine(PRIMARY_LIMIT_KEYS, next)));
  log.step(
    "serving",
    { role: "primary", file, url: address ?? null, dataDir, durability, driver },
    `serving ${file} at ${address}, which is also its status page (durability ${durability}, own files in ${dataDir})`,
  );
  const exitCode = await untilStopped(node.failed);
  if (exitCode === EXIT_DONE) log.step("stopping", {}, "stopping");
  await node.opened.disposeAsync();
  if (exitCode === EXIT_DONE) log.step("stopped", {}, `stopped; ${file} is an ordinary SQLite database`);
  return exitCode;
}
