import type { Call, Command } from "../command.ts";
import { runDemo } from "../demo/demo.ts";
import { EXIT_DONE, EXIT_FAILED } from "../exit-code.ts";
import { demoSettings } from "../configuration/local-settings.ts";
import type { DemoSettings } from "../configuration/local-settings.ts";

/** Where nobody can press Ctrl-C, the demo ends by itself. */
const PIPE_SECONDS = 10;
/** For the proof after Ctrl-C: catching up, stopping, comparing. */
const DEADLINE_MS = 120_000;

export const demoCommand: Command<DemoSettings> = {
  name: "demo",
  summary:
    "run a primary, replicas and a writer here, show their lag live, and prove the replicas byte-identical",
  operands: [],
  settings: demoSettings,
  run,
};

async function run({ settings, output, listenForStop }: Call<DemoSettings>): Promise<number> {
  const seconds = settings.seconds ?? (output.isTerminal ? undefined : PIPE_SECONDS);
  const isProven = await runDemo({
    replicaCount: settings.replicas,
    rate: settings.rate,
    durationMs: seconds === undefined ? undefined : seconds * 1000,
    database: settings.database,
    signal: listenForStop(DEADLINE_MS).signal,
    output,
  });
  return isProven ? EXIT_DONE : EXIT_FAILED;
}
