import { setTimeout as sleep } from "node:timers/promises";
import { TailraceError, asTailraceError } from "../../shared/errors.ts";
import { printable } from "../../shared/human.ts";
import type { VerificationStatus } from "../../shared/verification/verification-status.ts";
import type { VerifySettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { verificationText, verifyDeeply } from "../deep-verification.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import { fetchStatus } from "../node-client.ts";
import { parseNodeUrl, shownUrl } from "../node-url.ts";
import type { NodePosition } from "../node-client.ts";
import type { Output } from "../output.ts";
import { NodeComparer } from "../verify.ts";
import type { Comparison } from "../verify.ts";

const POLL_MS = 10;

type Pair<T> = readonly [T, T];

/** What {@link ../commands.ts} says of `verify`. */
export async function run(call: Call<VerifySettings>): Promise<number> {
  const { output, settings } = call;
  const { deep, timeoutMs } = settings;
  const urls = [parseNodeUrl(operand(call, 0)), parseNodeUrl(operand(call, 1))] as const;
  const say = (text: string): void => output.message(text);
  const readings = deep ? await both(urls.map((url) => verifyDeeply(url, timeoutMs, say))) : undefined;
  const compared = await compare(urls, timeoutMs);
  if ("logIds" in compared) {
    const [first, second] = compared.logIds.map((logId) => printable(logId));
    output.data(
      { isIdentical: false, logIds: compared.logIds },
      `${output.style("red", "different")}: the nodes have different logs, ${first} and ${second}`,
    );
    return EXIT_NOT_AS_IT_SHOULD;
  }
  const isSound = readings?.every(({ state }) => state === "identical") ?? true;
  const isIdentical = compared.isIdentical && isSound;
  const verdict = compared.isIdentical
    ? output.style("green", "identical")
    : output.style("red", "different");
  const lines = [
    `${verdict} at txid ${compared.txid}`,
    ...urls.map((url, index) => `  ${printable(compared.checksums[index]!)}  ${shownUrl(url)}`),
    ...(readings === undefined ? [] : readingLines(urls, readings, isSound, output)),
  ];
  const nodes = urls.map((url, index) => ({
    url: shownUrl(url),
    databaseChecksum: compared.checksums[index],
    ...(readings === undefined ? {} : { reading: readings[index] }),
  }));
  output.data({ isIdentical, txid: compared.txid, nodes }, lines.join("\n"));
  return isIdentical ? EXIT_DONE : EXIT_NOT_AS_IT_SHOULD;
}

function readingLines(
  urls: Pair<string>,
  readings: Pair<VerificationStatus>,
  isSound: boolean,
  output: Output,
): readonly string[] {
  const verdict = isSound
    ? `${output.style("green", "sound")}: every page on disk is what the log says, and the log is sound`
    : `${output.style("red", "different")}: what is on disk is not what was written`;
  return [verdict, ...urls.map((url, index) => `  ${verificationText(url, readings[index]!)}`)];
}

/** Of two, as a pair again. */
async function both<T>(promises: readonly Promise<T>[]): Promise<Pair<T>> {
  return (await Promise.all(promises)) as unknown as Pair<T>;
}

/** @throws timeout when they are not seen at one txid */
async function compare(
  urls: Pair<string>,
  timeoutMs: number,
): Promise<Comparison | { readonly logIds: Pair<string> }> {
  const comparer = new NodeComparer();
  const endMs = performance.now() + timeoutMs;
  let last: readonly (NodePosition | string)[] = [];
  for (let leftMs = timeoutMs; leftMs > 0; leftMs = endMs - performance.now()) {
    last = await Promise.all(urls.map((url, index) => positionOf(url, leftMs, last[index])));
    const [first, second] = last;
    if (isPosition(first) && isPosition(second) && first.logId !== second.logId)
      return { logIds: [first.logId, second.logId] };
    for (const node of [0, 1] as const) {
      const position = last[node];
      const comparison = isPosition(position) ? comparer.see(node, position) : undefined;
      if (comparison !== undefined) return comparison;
    }
    await sleep(POLL_MS);
  }
  const places = urls.map((url, index) => placeOf(url, last[index])).join(", ");
  throw new TailraceError("timeout", `not seen at one txid within ${timeoutMs} ms: ${places}`, {
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
    return (await fetchStatus(url, timeoutMs)).position ?? `${shownUrl(url)} at no txid yet`;
  } catch (error) {
    const { code, message } = asTailraceError(error);
    if (code === "not_ready" || code === "overloaded") return message;
    if (code === "timeout" && before !== undefined) return before;
    throw error;
  }
}

function isPosition(place: NodePosition | string | undefined): place is NodePosition {
  return typeof place === "object";
}

function placeOf(url: string, place: NodePosition | string | undefined): string {
  return isPosition(place) ? `${shownUrl(url)} at ${place.txid}` : (place ?? shownUrl(url));
}
