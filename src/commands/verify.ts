import { setTimeout as sleep } from "node:timers/promises";
import { TailraceError, asTailraceError } from "../../shared/errors.ts";
import { operand } from "../command.ts";
import type { Call, Command } from "../command.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import { fetchStatus, parseNodeUrl } from "../node-client.ts";
import type { NodePosition } from "../node-client.ts";
import { verifySettings } from "../settings.ts";
import type { VerifySettings } from "../settings.ts";
import { NodeComparer } from "../verify.ts";

const POLL_MS = 10;

export const verifyCommand: Command<VerifySettings> = {
  name: "verify",
  summary: "compare two nodes at one txid by their database checksums",
  operands: [
    { name: "URL", description: "a node, as http://host:4800" },
    { name: "URL2", description: "the node to compare it with" },
  ],
  settings: verifySettings,
  run,
};

async function run(call: Call<VerifySettings>): Promise<number> {
  const { output, settings } = call;
  const urls = [parseNodeUrl(operand(call, 0)), parseNodeUrl(operand(call, 1))] as const;
  const comparer = new NodeComparer();
  const endMs = performance.now() + settings.timeoutMs;
  let last: readonly (NodePosition | null)[] = [];

  for (let leftMs: number = settings.timeoutMs; leftMs > 0; leftMs = endMs - performance.now()) {
    last = await Promise.all(urls.map((url) => positionOf(url, leftMs)));
    const [first, second] = last;
    if (first !== null && second !== null && first?.logId !== second?.logId) {
      output.data(
        { isIdentical: false, logIds: [first?.logId, second?.logId] },
        `${output.style("red", "different")}: the nodes have different logs, ${first?.logId} and ${second?.logId}`,
      );
      return EXIT_NOT_AS_IT_SHOULD;
    }
    for (const node of [0, 1] as const) {
      const position = last[node];
      const comparison =
        position === null || position === undefined ? undefined : comparer.see(node, position);
      if (comparison === undefined) continue;
      const { txid, checksums, isIdentical } = comparison;
      const verdict = isIdentical ? output.style("green", "identical") : output.style("red", "different");
      output.data(
        { isIdentical, txid, nodes: urls.map((url, index) => ({ url, databaseChecksum: checksums[index] })) },
        `${verdict} at txid ${txid}\n  ${checksums[0]}  ${urls[0]}\n  ${checksums[1]}  ${urls[1]}`,
      );
      return isIdentical ? EXIT_DONE : EXIT_NOT_AS_IT_SHOULD;
    }
    await sleep(POLL_MS);
  }
  const places = urls.map((url, index) => `${url} at ${last[index]?.txid ?? "no txid yet"}`).join(", ");
  throw new TailraceError("timeout", `not seen at one txid within ${settings.timeoutMs} ms: ${places}`, {
    retryable: true,
    hint: "One node may be far behind the other: look at both with tailrace status, or give --timeout-ms more.",
  });
}

/** A node that is starting is waited for; one that is not there at all is an error at once. */
async function positionOf(url: string, timeoutMs: number): Promise<NodePosition | null> {
  try {
    return (await fetchStatus(url, timeoutMs)).position;
  } catch (error) {
    if (asTailraceError(error).code === "not_ready") return null;
    throw error;
  }
}
