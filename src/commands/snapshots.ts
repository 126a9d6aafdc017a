import { snapshotsDocumentSchema } from "../../shared/admin.ts";
import type { LookSettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { EXIT_DONE } from "../exit-code.ts";
import { ask } from "../node-client.ts";
import { parseNodeUrl } from "../node-url.ts";
import { snapshotLines } from "../snapshot-text.ts";
import { lookOrWatch, paperOf } from "../watch.ts";

/** What {@link ../commands.ts} says of `snapshots`. */
export async function run(call: Call<LookSettings>): Promise<number> {
  const { timeoutMs } = call.settings;
  const url = parseNodeUrl(operand(call, 0));
  return lookOrWatch(call, async (signal) => {
    const document = await ask(url, {
      path: "/admin/snapshots",
      schema: snapshotsDocumentSchema,
      timeoutMs,
      signal,
    });
    const text = snapshotLines(document, paperOf(call.output)).join("\n");
    return { document, text, exitCode: EXIT_DONE };
  });
}
