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
  let last: readonly (NodePosition | string)[] = [];

  for (let leftMs: number = settings.timeoutMs; leftMs > 0; leftMs = endMs - performance.now()) {
    last = await Promise.all(urls.map((url, index) => positionOf(url, leftMs, last[index])));
    const [first, second] = last;
    if (isPosition(first) && isPosition(second) && first.logId !== second.logId) {
      output.data(
        { isIdentical: false, logIds: [first.logId, second.logId] },
        `${output.style("red", "different")}: the nodes have different logs, ${first.logId} and ${second.logId}`,
      );
      return EXIT_NOT_AS_IT_SHOULD;
    }
    for (const node of [0, 1] as const) {
      const position = last[node];
      const comparison = isPosition(position) ? comparer.see(node, position) : undefined;
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
  const places = urls.map((url, index) => placeOf(url, last[index])).join(", ");
  throw new TailraceError("timeout", `not seen at one txid within ${settings.timeoutMs} ms: ${places}`, {
    retryable: true,
    hint: "One node may be far behind the other: look at both with tailrace status, or give --timeout-ms more.",
  });
}

/**
 * A node that is starting is waited for; one that is not there at all is an error at once.
 *
 * @param before what was seen of it last: the end of the time is no news of a node that had answered
 * @returns where it stands, or else why it does not yet
 */
async function positionOf(
  url: string,
  timeoutMs: number,
  before: NodePosition | string | undefined,
): Promise<NodePosition | string> {
  try {
    return (await fetchStatus(url, timeoutMs)).position ?? `${url} at no txid yet`;
  } catch (error) {
    const { code, message } = asTailraceError(error);
    if (code === "not_ready") return message;
    if (code === "timeout" && before !== undefined) return before;
    throw error;
  }
}

function isPosition(place: NodePosition | string | undefined): place is NodePosition {
  return typeof place === "object";
}

function placeOf(url: string, place: NodePosition | string | undefined): string {
  return isPosition(place) ? `${url} at ${place.txid}` : (place ?? url);
}
