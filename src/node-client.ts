import { z } from "zod";
import { TailraceError } from "../shared/errors.ts";
import { statusSchema } from "../shared/protocol.ts";
import type { StatusDocument } from "../shared/protocol.ts";
import type { Txid } from "../shared/units.ts";

/** Where a node's database stands: what two nodes are compared by. */
export interface NodePosition {
  readonly role: string;
  readonly logId: string;
  readonly txid: Txid;
  /** 16 hex digits. */
  readonly databaseChecksum: string;
}

export interface NodeStatus {
  /** Null while the node has no database yet (a replica that bootstraps). */
  readonly position: NodePosition | null;
  /** The whole status document as it was served. */
  readonly document: Readonly<Record<string, unknown>>;
}

const MAX_STATUS_BYTES = 4 * 1024 * 1024;

/** Where a replica's file is; its log may be further. */
const appliedSchema = z.looseObject({
  position: z.object({ txid: z.int().min(0), databaseChecksum: z.string() }).nullable(),
});

/** The base URL of a node, without a slash at the end. @throws invalid_request */
export function parseNodeUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new TailraceError("invalid_request", `URL is ${JSON.stringify(text)}: not the address of a node`, {
      hint: "A node's address looks like http://127.0.0.1:4800.",
    });
  }
  return url.href.replace(/\/+$/, "");
}

/**
 * The status document of a node.
 *
 * @throws unreachable (retryable), timeout (retryable), not_tailrace
 */
export async function fetchStatus(url: string, timeoutMs: number): Promise<NodeStatus> {
  const text = await getText(`${url}/status`, timeoutMs);
  const document = statusSchema.safeParse(parseJson(text));
  if (!document.success) throw notTailrace(url, "/status is not a status document");
  return { document: { ...document.data }, position: positionOf(document.data) };
}

function positionOf(document: StatusDocument): NodePosition | null {
  const { role, log } = document;
  if (log === null) return null;
  const { logId } = log;
  if (role === "primary") return { role, logId, txid: log.headTxid, databaseChecksum: log.databaseChecksum };
  const applied = appliedSchema.safeParse(document);
  if (!applied.success || applied.data.position === null) return null;
  const { txid, databaseChecksum } = applied.data.position;
  return { role, logId, txid, databaseChecksum };
}

async function getText(url: string, timeoutMs: number): Promise<string> {
  let response: Response;
  try {
    response = await fetch(url, {
      signal: AbortSignal.timeout(timeoutMs),
      headers: { accept: "application/json" },
    });
    const bytes = Number(response.headers.get("content-length") ?? 0);
    if (response.ok && bytes <= MAX_STATUS_BYTES) return await response.text();
  } catch (cause) {
    const { name } = cause as Error;
    if (name === "TimeoutError") {
      throw new TailraceError("timeout", `${url} did not answer within ${timeoutMs} ms`, {
        cause,
        retryable: true,
      });
    }
    throw new TailraceError("unreachable", `${url} cannot be reached: ${reasonOf(cause)}`, {
      cause,
      retryable: true,
      hint: "Is a node running there? tailrace primary and tailrace replica print their address.",
    });
  }
  await response.body?.cancel();
  if (response.status === 503 && response.headers.has("tailrace-protocol")) {
    throw new TailraceError(
      "not_ready",
      `${url} answers ${response.status}: the node is starting or stopping`,
      {
        retryable: true,
      },
    );
  }
  throw notTailrace(url, `it answers ${response.status}`);
}

/** `fetch` hides the cause of a failure one level down. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  const inner = cause as (Error & { code?: string }) | undefined;
  return inner?.code ?? inner?.message ?? message;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notTailrace(url: string, what: string): TailraceError {
  return new TailraceError("not_tailrace", `${url} is no Tailrace node: ${what}`, {
    hint: "Give the address that tailrace primary or tailrace replica printed.",
  });
}
