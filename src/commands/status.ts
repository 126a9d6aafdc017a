import { healthOf } from "../../shared/plan/health.ts";
import type { JudgeSettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import { fetchStatus } from "../node-client.ts";
import { parseNodeUrl } from "../node-url.ts";
import { statusText } from "../status-text.ts";
import { lookOrWatch, paperOf } from "../watch.ts";

/** What {@link ../commands.ts} says of `status`. */
export async function run(call: Call<JudgeSettings>): Promise<number> {
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
