import { healthOf } from "../../shared/plan/health.ts";
import { judgeSettings } from "../configuration/ask-settings.ts";
import type { JudgeSettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call, Command } from "../command.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import { fetchStatus, parseNodeUrl } from "../node-client.ts";
import { statusText } from "../status-text.ts";
import { lookOrWatch, paperOf } from "../watch.ts";

export const statusCommand: Command<JudgeSettings> = {
  name: "status",
  summary: "show how the node at URL and its replicas are, what is wrong, and what to do",
  operands: [{ name: "URL", description: "a node, as http://host:4800" }],
  settings: judgeSettings,
  run,
};

async function run(call: Call<JudgeSettings>): Promise<number> {
  const { output, settings } = call;
  const url = parseNodeUrl(operand(call, 0));
  return lookOrWatch(call, async (signal) => {
    const { document } = await fetchStatus(url, settings.timeoutMs, signal);
    const health = healthOf(document, settings.maxLagSeconds);
    return {
      document,
      text: statusText(document, health, paperOf(output)),
      exitCode: health.verdict === "well" ? EXIT_DONE : EXIT_NOT_AS_IT_SHOULD,
    };
  });
}
