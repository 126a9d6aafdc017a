import { snapshotsDocumentSchema } from "../../shared/admin.ts";
import { lookSettings } from "../configuration/ask-settings.ts";
import type { LookSettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call, Command } from "../command.ts";
import { EXIT_DONE } from "../exit-code.ts";
import { ask, parseNodeUrl } from "../node-client.ts";
import { snapshotLines } from "../snapshot-text.ts";
import { lookOrWatch, paperOf } from "../watch.ts";

export const snapshotsCommand: Command<LookSettings> = {
  name: "snapshots",
  summary: "list the snapshots of the node at URL, from which new replicas begin",
  operands: [{ name: "URL", description: "a node, as http://host:4800" }],
  settings: lookSettings,
  run,
};

async function run(call: Call<LookSettings>): Promise<number> {
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
