import type { Call } from "../command.ts";
import { runDemo } from "../demo/demo.ts";
import { EXIT_DONE, EXIT_FAILED } from "../exit-code.ts";
import type { DemoSettings } from "../configuration/local-settings.ts";

/** Where nobody can press Ctrl-C, the demo ends by itself. */
const PIPE_SECONDS = 10;
/** For the proof after Ctrl-C: catching up, stopping, comparing. */
const DEADLINE_MS = 120_000;

/** What {@link ../commands.ts} says of `demo`. */
export async function run({ settings, output, listenForStop }: Call<DemoSettings>): Promise<number> {
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
