import { operand } from "../command.ts";
import type { Call, Command } from "../command.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import { fetchStatus, parseNodeUrl } from "../node-client.ts";
import { statusSettings } from "../settings.ts";
import type { StatusSettings } from "../settings.ts";

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
  output.data(document, listOf(document).join("\n"));
  return document["lastError"] === null || document["lastError"] === undefined
    ? EXIT_DONE
    : EXIT_NOT_AS_IT_SHOULD;
}

/** The document line by line: `name  value`, what is nested by its path. Unknown values are shown as a dash. */
export function listOf(document: Readonly<Record<string, unknown>>): readonly string[] {
  const rows = [...leaves(document, "")];
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

function* leaves(value: unknown, path: string): Iterable<readonly [string, string]> {
  if (typeof value !== "object" || value === null) {
    yield [path, value === null ? "–" : typeof value === "string" ? value : JSON.stringify(value)];
    return;
  }
  for (const [key, inner] of Object.entries(value))
    yield* leaves(inner, path === "" ? key : `${path}.${key}`);
}
