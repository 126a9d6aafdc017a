import { startCapture } from "../../primary/capture-thread.ts";
import type { Call } from "../command.ts";
import { operand } from "../command.ts";
import { EXIT_DONE } from "../exit-code.ts";
import { PRIMARY_LIMIT_KEYS, limitsForEngine } from "../configuration/node-limits.ts";
import type { PrimarySettings } from "../configuration/node-settings.ts";
import { startNode } from "../node.ts";
import { serve } from "../serving.ts";
import type { Serving } from "../serving.ts";

/** What {@link ../commands.ts} says of `primary`. */
export function run(call: Call<PrimarySettings>): Promise<number> {
  return serve(call, (serving) => runNode(call, serving));
}

async function runNode(
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
