import http from "node:http";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import { z } from "zod";
import { TailraceError } from "../shared/errors.ts";
import { HEADER, PROTOCOL_VERSION, problemSchema } from "../shared/protocol.ts";
import { statusSchema } from "../shared/status.ts";
import type { StatusDocument } from "../shared/status.ts";
import type { Txid } from "../shared/units.ts";
import { printable } from "../shared/human.ts";

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
  readonly document: StatusDocument & Readonly<Record<string, unknown>>;
}

const MAX_STATUS_BYTES = 4 * 1024 * 1024;
/** What a proxy answers when there is nothing behind it, or too much. */
const GATEWAY_STATUS: ReadonlySet<number> = new Set([429, 502, 503, 504]);

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
 * @throws unreachable, timeout, not_ready (all retryable), not_tailrace, protocol_violation, unknown_version
 */
export async function fetchStatus(url: string, timeoutMs: number): Promise<NodeStatus> {
  const answer = await get(`${url}/status`, timeoutMs);
  if (answer.status !== 200) throw refusal(url, answer);
  if (answer.body === undefined) throw unusable(url, answer, "is larger than any status document");
  const json = parseJson(answer.body);
  if (json === undefined) throw unusable(url, answer, "is not JSON");
  const document = statusSchema.safeParse(json);
  if (!document.success) {
    const key = document.error.issues[0]?.path.join(".") ?? "";
    throw unusable(url, answer, key === "" ? "is not a status document" : `has no usable "${key}"`);
  }
  const { protocol } = document.data;
  if (protocol > PROTOCOL_VERSION) {
    throw new TailraceError(
      "unknown_version",
      `${url} speaks protocol ${protocol}, this build knows ${PROTOCOL_VERSION}`,
      { hint: "Use the version of tailrace that runs there." },
    );
  }
  // Not what the schema made of it: a later node may say more than this build knows.
  return { document: json as NodeStatus["document"], position: positionOf(document.data) };
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

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** Undefined where it is too large to be any answer of a node. */
  readonly body: string | undefined;
}

/**
 * Not `fetch`: there are ports that it refuses (6000, 6665 …) and a node may well have, and it gives no limit for the
 * body. Redirects are not followed: a node's address is the node's.
 */
async function get(url: string, timeoutMs: number): Promise<Answer> {
  const limitMs = Math.max(1, Math.ceil(timeoutMs));
  const signal = AbortSignal.timeout(limitMs);
  const options = { signal, headers: { accept: "application/json" } };
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = url.startsWith("https:") ? https.get(url, options) : http.get(url, options);
      request.on("response", resolve).on("error", reject);
    });
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_STATUS_BYTES) break;
      chunks.push(chunk);
    }
    const body = sizeBytes > MAX_STATUS_BYTES ? undefined : Buffer.concat(chunks).toString("utf8");
    return { status: answer.statusCode ?? 0, headers: answer.headers, body };
  } catch (cause) {
    if (signal.aborted) {
      throw new TailraceError("timeout", `${url} did not answer within ${limitMs} ms`, {
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
}

/** What an answer other than 200 amounts to. */
function refusal(url: string, { status, headers, body = "" }: Answer): TailraceError {
  const problem = problemSchema.safeParse(parseJson(body));
  if (headers[HEADER.protocol] !== undefined && problem.success) {
    const { code, detail, hint } = problem.data;
    const said = `${url} answers ${status} ${printable(code)}: ${printable(detail)}`;
    return new TailraceError(status === 503 ? "not_ready" : "protocol_violation", said, {
      retryable: problem.data.retryable,
      ...(hint === null ? {} : { hint: printable(hint) }),
    });
  }
  if (GATEWAY_STATUS.has(status)) {
    return new TailraceError("unreachable", `${url} cannot be reached: a proxy answers ${status}`, {
      retryable: true,
      hint: "Is the node behind it running?",
    });
  }
  const { location } = headers;
  return notTailrace(
    url,
    location === undefined
      ? `it answers ${status}`
      : `it answers ${status}, a redirect to ${printable(location)}`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A body that is no status document: from a node of Tailrace, something on the way has changed it. */
function unusable(url: string, { headers }: Answer, what: string): TailraceError {
  if (headers[HEADER.protocol] === undefined) return notTailrace(url, `/status ${what}`);
  return new TailraceError("protocol_violation", `${url}/status ${what}`, {
    retryable: true,
    hint: "Something on the way to that node changes its answers, or cuts them off.",
  });
}

function notTailrace(url: string, what: string): TailraceError {
  return new TailraceError("not_tailrace", `${url} is no Tailrace node: ${what}`, {
    hint: "Give the address that tailrace primary or tailrace replica printed.",
  });
}
