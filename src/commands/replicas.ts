import { replicasDocumentSchema } from "../../shared/admin.ts";
import { trackedFindings } from "../../shared/plan/health.ts";
import type { JudgeSettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import { findingLines } from "../findings-text.ts";
import { ask } from "../node-client.ts";
import { parseNodeUrl, shownUrl } from "../node-url.ts";
import { replicaLines } from "../replica-table.ts";
import { lookOrWatch, paperOf } from "../watch.ts";

/** What {@link ../commands.ts} says of `replicas`. */
export async function run(call: Call<JudgeSettings>): Promise<number> {
  const { output, settings } = call;
  const { timeoutMs, maxLagSeconds } = settings;
  const url = parseNodeUrl(operand(call, 0));
  return lookOrWatch(call, async (signal) => {
    const document = await ask(url, {
      path: "/admin/replicas",
      schema: replicasDocumentSchema,
      timeoutMs,
      signal,
    });
    const paper = paperOf(output);
    const findings = [...trackedFindings(document, maxLagSeconds)];
    const isWell = findings.every(({ severity }) => severity === "note");
    const table = replicaLines(document, paper).join("\n");
    const said = findings.length === 0 ? "" : `\n\n${findingLines(findings, paper).join("\n")}`;
    return {
      document,
      text: document.replicas.length === 0 ? noneText(url) : `${table}${said}`,
      exitCode: isWell ? EXIT_DONE : EXIT_NOT_AS_IT_SHOULD,
    };
  });
}

function noneText(url: string): string {
  return `no replica has asked yet\n  tailrace replica ${shownUrl(url)} FILE makes one.`;
}
