import { checkpointOutcomeSchema } from "../../shared/admin.ts";
import { count, counted } from "../../shared/human.ts";
import type { AskSettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import { ask } from "../node-client.ts";
import { parseNodeUrl } from "../node-url.ts";

/** What {@link ../commands.ts} says of `checkpoint`. */
export async function run(call: Call<AskSettings>): Promise<number> {
  const { output, settings } = call;
  const outcome = await ask(parseNodeUrl(operand(call, 0)), {
    method: "POST",
    path: "/admin/checkpoint",
    schema: checkpointOutcomeSchema,
    timeoutMs: settings.timeoutMs,
  });
  const { isComplete, walFrames, copiedFrames } = outcome;
  const frames = `${counted(walFrames, "frame")} of the SQLite WAL`;
  if (isComplete) {
    const what = walFrames === 0 ? "the SQLite WAL is empty" : `all ${frames} are in the database file`;
    output.data(outcome, `complete: ${what}`);
    return EXIT_DONE;
  }
  const [held, wayOut] = [
    `held up: ${count(copiedFrames)} of ${frames} are in the database file`,
    "A reader still sees an older state. Find the process with the long read transaction, and end that.",
  ];
  output.data(outcome, `${held}\n  ${wayOut}`);
  return EXIT_NOT_AS_IT_SHOULD;
}
