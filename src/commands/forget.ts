import { forgottenDocumentSchema, replicasDocumentSchema } from "../../shared/admin.ts";
import { TailraceError, asTailraceError } from "../../shared/errors.ts";
import { printable, size } from "../../shared/human.ts";
import type { ReplicaStatus } from "../../shared/status.ts";
import type { AskSettings } from "../configuration/ask-settings.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { EXIT_DONE } from "../exit-code.ts";
import { nearest } from "../configuration/nearest.ts";
import { ask } from "../node-client.ts";
import { parseNodeUrl } from "../node-url.ts";

/** So many of the known ids are named to somebody who gave another. */
const NAMED_IDS = 5;

/** What {@link ../commands.ts} says of `forget`. */
export async function run(call: Call<AskSettings>): Promise<number> {
  const { output, settings } = call;
  const url = parseNodeUrl(operand(call, 0));
  const id = operand(call, 1);
  try {
    const document = await ask(url, {
      method: "DELETE",
      path: `/admin/replicas/${encodeURIComponent(id)}`,
      schema: forgottenDocumentSchema,
      timeoutMs: settings.timeoutMs,
    });
    output.data(document, forgottenText(document.forgotten));
    return EXIT_DONE;
  } catch (error) {
    if (asTailraceError(error).code !== "replica_unknown") throw error;
    const hint = await knownText(url, id, settings.timeoutMs).catch(() => undefined);
    const { message } = asTailraceError(error);
    throw new TailraceError("replica_unknown", message, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

function forgottenText({ id, state, lagBytes }: ReplicaStatus): string {
  const behind = lagBytes === null || lagBytes === 0 ? "" : `, ${size(lagBytes)} behind`;
  const what = `forgotten: ${printable(id)} (${state.replaceAll("_", " ")}${behind})`;
  const isAlive = state === "streaming" || state === "catching_up";
  return isAlive
    ? `${what}\n  It still asks, and is known again with its next request; to be rid of it, stop it first.`
    : `${what}\n  No log is kept for it any more. If it comes back, it fetches the pages that differ.`;
}

/** Which ids there are, for somebody who gave another; those that are like it alone, if there are any. */
async function knownText(url: string, id: string, timeoutMs: number): Promise<string> {
  const { replicas } = await ask(url, {
    path: "/admin/replicas",
    schema: replicasDocumentSchema,
    timeoutMs,
  });
  const ids = replicas.map((replica) => replica.id).toSorted((a, b) => (a < b ? -1 : 1));
  if (ids.length === 0) return "That node knows no replica.";
  const meant = nearest(id, ids);
  if (meant !== undefined) return `Is ${printable(meant)} meant? tailrace replicas lists all.`;
  const named = ids.slice(0, NAMED_IDS).map((known) => printable(known));
  const more = ids.length - named.length;
  return `It knows ${named.join(", ")}${more === 0 ? "" : ` and ${more} more: see tailrace replicas`}.`;
}
