import { request } from "undici";
import type { Dispatcher } from "undici";
import { z } from "zod";
import { TailraceError } from "../shared/errors.ts";
import { HEADER, statusSchema } from "../shared/protocol.ts";
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

const MAX_STATUS_LENGTH = 4 * 1024 * 1024;

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
  // Not `fetch`: it refuses some ports, and gives no limit for the body.
  const signal = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
  let answer: Dispatcher.ResponseData;
  let text = "";
  try {
    answer = await request(url, { signal, headers: { accept: "application/json" } });
    for await (const chunk of answer.body.setEncoding("utf8")) {
      text += String(chunk);
      if (text.length > MAX_STATUS_LENGTH) break;
    }
  } catch (cause) {
    if (signal.aborted) {
      throw new TailraceError("timeout", `${url} did not answer within ${timeoutMs} ms`, {
        cause,
        retryable: true,
      });
    }
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new TailraceError("unreachable", `${url} cannot be reached: ${code ?? message}`, {
      cause,
      retryable: true,
      hint: "Is a node running there? tailrace primary and tailrace replica print their address.",
    });
  }
  const { statusCode, headers } = answer;
  if (statusCode === 200 && text.length <= MAX_STATUS_LENGTH) return text;
  if (statusCode === 503 && headers[HEADER.protocol] !== undefined) {
    throw new TailraceError("not_ready", `${url} answers 503: the node is starting or stopping`, {
      retryable: true,
    });
  }
  throw notTailrace(url, `it answers ${statusCode}`);
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
