import type { IncomingMessage } from "node:http";
import type { z } from "zod";
import { TailraceError } from "../shared/errors.ts";
import type { ErrorCode } from "../shared/errors.ts";
import { printable } from "../shared/human.ts";
import { HEADER, PROTOCOL_VERSION, problemSchema } from "../shared/protocol.ts";
import type { Txid } from "../shared/units.ts";
import { nodeDocumentSchema } from "./node-document.ts";
import type { NodeDocument } from "./node-document.ts";
import { shownUrl } from "./node-url.ts";

/** What is asked of a node. */
export interface Question<Document> {
  /** Default: GET. */
  readonly method?: "GET" | "POST" | "DELETE";
  /** From the node's address on, with its query: `/admin/replicas`. */
  readonly path: string;
  readonly schema: z.ZodType<Document>;
  readonly timeoutMs: number;
  /** Breaks the request off. */
  readonly signal?: AbortSignal | undefined;
}

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
  readonly document: NodeDocument;
}

const MAX_BODY_BYTES = 4 * 1024 * 1024;
/** Reading JSON knows no depth, and writing it does. */
const MAX_DEPTH = 100;
/** What a proxy answers when there is nothing behind it, or too much. */
const GATEWAY_STATUS: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** The status document of a node. @throws as {@link ask} */
export async function fetchStatus(url: string, timeoutMs: number, signal?: AbortSignal): Promise<NodeStatus> {
  const document = await ask(url, { path: "/status", schema: nodeDocumentSchema, timeoutMs, signal });
  return { document, position: positionOf(document) };
}

function positionOf({ role, log, position }: NodeDocument): NodePosition | null {
  if (log === null) return null;
  const { logId } = log;
  if (role === "primary") return { role, logId, txid: log.headTxid, databaseChecksum: log.databaseChecksum };
  // Where a replica's file is; its log may be further.
  if (position === undefined || position === null) return null;
  return { role, logId, txid: position.txid, databaseChecksum: position.databaseChecksum };
}

/**
 * Asks a node.
 *
 * @returns the document as it was served, checked against the schema; a later node may have said more
 * @throws unreachable, timeout (retryable); not_tailrace, protocol_violation, unknown_version; what the node itself
 *   refuses with, by its own code
 */
export async function ask<Document>(url: string, question: Question<Document>): Promise<Document> {
  const { path, schema } = question;
  const answer = await send(url, question);
  if (answer.status < 200 || answer.status > 299) throw refusal(url, question, answer);
  if (answer.body === undefined) throw unusable(url, path, answer, "is larger than any document of a node");
  const json = parseJson(answer.body);
  if (json === undefined) throw unusable(url, path, answer, "is not JSON");
  if (isDeep(json)) throw unusable(url, path, answer, "is nested deeper than any document of a node");
  const inBody = typeof json === "object" && json !== null && "protocol" in json ? json.protocol : undefined;
  const protocol = Number(answer.headers[HEADER.protocol] ?? inBody);
  if (protocol > PROTOCOL_VERSION) {
    throw new TailraceError(
      "unknown_version",
      `${shownUrl(url)} speaks protocol ${protocol}, this build knows ${PROTOCOL_VERSION}`,
      { hint: "Use the version of tailrace that runs there." },
    );
  }
  const document = schema.safeParse(json);
  if (!document.success) {
    const key = document.error.issues[0]?.path.join(".") ?? "";
    throw unusable(url, path, answer, key === "" ? "is not what was asked for" : `has no usable "${key}"`);
  }
  return json as Document;
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
async function send(
  url: string,
  { method = "GET", path, timeoutMs, signal }: Question<unknown>,
): Promise<Answer> {
  const limitMs = Math.max(1, Math.ceil(timeoutMs));
  const limit = AbortSignal.timeout(limitMs);
  const options = {
    method,
    signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    headers: { accept: "application/json" },
  };
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      // As a module, node:http would load its WebSocket with all of undici behind it: 30 ms of each command.
      const protocol = process.getBuiltinModule(url.startsWith("https:") ? "node:https" : "node:http");
      const request = protocol.request(`${url}${path}`, options);
      request.on("response", resolve).on("error", reject).end();
    });
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > MAX_BODY_BYTES) break;
      chunks.push(chunk);
    }
    const body = sizeBytes > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString("utf8");
    return { status: answer.statusCode ?? 0, headers: answer.headers, body };
  } catch (cause) {
    if (signal?.aborted === true) throw new TailraceError("closed", "broken off", { cause });
    if (limit.aborted) {
      throw new TailraceError("timeout", `${shownUrl(url)}${path} did not answer within ${limitMs} ms`, {
        cause,
        retryable: true,
        hint: "It may be held up by its disk, or be short of time: look at its log, or give --timeout-ms more.",
      });
    }
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new TailraceError("unreachable", `${shownUrl(url)} cannot be reached: ${code ?? message}`, {
      cause,
      retryable: true,
      hint: "Is a node running there? tailrace primary and tailrace replica print their address.",
    });
  }
}

/** What an answer other than 2xx amounts to. */
function refusal(
  url: string,
  { method = "GET", path }: Question<unknown>,
  { status, headers, body = "" }: Answer,
): TailraceError {
  const problem = problemSchema.safeParse(parseJson(body));
  if (headers[HEADER.protocol] !== undefined && problem.success) {
    const { code, detail, hint, retryable } = problem.data;
    if (code === "not_found") return notServed(url, `${method} ${path}`);
    const isCode = /^[a-z][a-z_]{0,63}$/.test(code);
    const message = isCode ? detail : `${status} ${code}: ${detail}`;
    return errorOfNode(url, { code: isCode ? code : "protocol_violation", message, hint, retryable });
  }
  if (GATEWAY_STATUS.has(status)) {
    return new TailraceError("unreachable", `${shownUrl(url)} cannot be reached: a proxy answers ${status}`, {
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

/** An error that a node tells of. A later node may have codes that this build does not know: they stay as they are. */
export function errorOfNode(
  url: string,
  error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
    readonly retryable?: boolean;
  },
): TailraceError {
  const details = {
    retryable: error.retryable ?? false,
    ...(error.hint === null ? {} : { hint: printable(error.hint) }),
  };
  const message = `${shownUrl(url)} says: ${printable(error.message)}`;
  const known = new TailraceError(error.code as ErrorCode, message, details);
  // Where in this process it came to light tells nothing about a bug in the other.
  known.stack = "";
  return known;
}

function notServed(url: string, what: string): TailraceError {
  return new TailraceError("not_found", `${shownUrl(url)} does not serve ${printable(what)}`, {
    hint: "Another version of Tailrace runs there: tailrace status says which, as far as it can.",
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isDeep(json: unknown): boolean {
  let level = [json];
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++)
    level = level.flatMap((value) =>
      typeof value === "object" && value !== null ? Object.values(value) : [],
    );
  return level.length > 0;
}

/** A body that is not what was asked for: from a node of Tailrace, another version's, or changed on the way. */
function unusable(url: string, path: string, { headers }: Answer, what: string): TailraceError {
  if (headers[HEADER.protocol] === undefined) return notTailrace(url, `${path} ${what}`);
  return new TailraceError("protocol_violation", `${shownUrl(url)}${path} ${what}`, {
    retryable: true,
    hint: "Another version of Tailrace may run there; or something on the way changes its answers, or cuts them off.",
  });
}

function notTailrace(url: string, what: string): TailraceError {
  return new TailraceError("not_tailrace", `${shownUrl(url)} is no Tailrace node: ${what}`, {
    hint: "Give the address that tailrace primary or tailrace replica printed.",
  });
}
