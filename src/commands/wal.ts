import { walDocumentSchema } from "../../shared/admin.ts";
import type { WalDocument } from "../../shared/admin.ts";
import type { LookSettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { EXIT_DONE } from "../exit-code.ts";
import { logPairs, segmentLines, walPairs } from "../log-text.ts";
import { ask } from "../node-client.ts";
import { parseNodeUrl } from "../node-url.ts";
import { pairLines } from "../text-table.ts";
import type { Paper } from "../text-table.ts";
import { lookOrWatch, paperOf } from "../watch.ts";

/** What {@link ../commands.ts} says of `wal`. */
export async function run(call: Call<LookSettings>): Promise<number> {
  const { timeoutMs } = call.settings;
  const url = parseNodeUrl(operand(call, 0));
  return lookOrWatch(call, async (signal) => {
    const document = await ask(url, { path: "/admin/wal", schema: walDocumentSchema, timeoutMs, signal });
    return { document, text: textOf(document, paperOf(call.output)), exitCode: EXIT_DONE };
  });
}

function textOf({ log, wal, segments, nowMs }: WalDocument, paper: Paper): string {
  const inner = { ...paper, columns: paper.columns - 2 };
  const group = (title: string, lines: readonly string[]): string =>
    [paper.style("bold", title), ...lines.map((line) => `  ${line}`)].join("\n");
  return [
    group("log", log === null ? ["none yet"] : pairLines(logPairs(log, nowMs), inner)),
    ...(segments.length === 0 ? [] : [group("segments", segmentLines(segments, nowMs, inner))]),
    ...(wal === null ? [] : [group("SQLite WAL", pairLines(walPairs(wal), inner))]),
  ].join("\n\n");
}
