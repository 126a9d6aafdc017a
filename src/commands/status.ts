import { operand } from "../command.ts";
import type { Call, Command } from "../command.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import { fetchStatus, parseNodeUrl } from "../node-client.ts";
import type { NodeStatus } from "../node-client.ts";
import { statusSettings } from "../settings.ts";
import type { StatusSettings } from "../settings.ts";
import { statusText } from "../status-text.ts";

export const statusCommand: Command<StatusSettings> = {
  name: "status",
  summary: "show what the node at URL says of itself",
  operands: [{ name: "URL", description: "a node, as http://host:4800" }],
  settings: statusSettings,
  run,
};

async function run(call: Call<StatusSettings>): Promise<number> {
  const { output, settings } = call;
  const { document } = await fetchStatus(parseNodeUrl(operand(call, 0)), settings.timeoutMs);
  output.data(
    document,
    statusText(document, (text) => output.style("bold", text)),
  );
  return isWell(document) ? EXIT_DONE : EXIT_NOT_AS_IT_SHOULD;
}

/** A primary's last error is null once it is over. A replica's stays to be seen, so what counts is its failures since. */
function isWell({ role, isReady, lastError, receiver, applier }: NodeStatus["document"]): boolean {
  if (!isReady) return false;
  if (role === "primary") return (lastError ?? null) === null;
  const { failures = 0 } = (receiver ?? {}) as { readonly failures?: unknown };
  const { blockedBy = null } = (applier ?? {}) as { readonly blockedBy?: unknown };
  return failures === 0 && blockedBy === null;
}
