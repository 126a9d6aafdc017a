import { TailraceError } from "../shared/errors.ts";
import type { ErrorCode } from "../shared/errors.ts";
import type { Cursor } from "../shared/units.ts";

/** An error that the peer stated, or that its answer amounts to. */
export class PeerError extends TailraceError {
  /** What the peer asked for with `retry-after`; 0 where it did not. */
  readonly retryAfterMs: number;

  constructor(
    code: ErrorCode,
    message: string,
    details: {
      readonly hint?: string | undefined;
      readonly retryable?: boolean;
      readonly retryAfterMs?: number;
    },
  ) {
    const { hint, retryable = false } = details;
    super(code, message, { retryable, ...(hint === undefined ? {} : { hint }) });
    this.retryAfterMs = details.retryAfterMs ?? 0;
  }
}

/** Headers of an answer, each checked as it is read. What is missing or odd is a protocol_violation that names it. */
export class AnswerHeaders {
  private readonly headers: ReadonlyMap<string, string>;
  private readonly what: string;

  /** @param what the request, for messages */
  constructor(headers: ReadonlyMap<string, string>, what: string) {
    this.headers = headers;
    this.what = what;
  }

  /** A decimal number from 0 to 2^53, or to less. */
  number(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const text = this.text(name);
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value > max) throw this.odd(name, text);
    return value;
  }

  /** Lower-case hex digits, exactly so many. */
  hex(name: string, digits: number): string {
    const text = this.text(name);
    if (text.length !== digits || !/^[0-9a-f]*$/.test(text)) throw this.odd(name, text);
    return text;
  }

  cursor(segmentName: string, offsetName: string): Cursor {
    const segment = this.number(segmentName);
    if (segment < 1) throw this.odd(segmentName, String(segment));
    return { segment, offset: this.number(offsetName) };
  }

  text(name: string): string {
    const text = this.headers.get(name);
    if (text === undefined) throw violation(`${this.what}: the answer has no header ${name}`);
    return text;
  }

  optional(name: string): string | undefined {
    return this.headers.get(name);
  }

  private odd(name: string, text: string): TailraceError {
    return violation(`${this.what}: the answer has ${name}: ${JSON.stringify(text.slice(0, 100))}`);
  }
}

export function violation(message: string): TailraceError {
  return new TailraceError("protocol_violation", message, {
    retryable: true,
    hint: "Something between the replica and its primary changes answers, or their versions do not fit.",
  });
}

/** @throws not_tailrace unless the answer comes from a node of Tailrace */
export function assertTailrace(status: number, headers: ReadonlyMap<string, string>, what: string): void {
  if (headers.has("tailrace-protocol")) return;
  const isGateway = status === 502 || status === 503 || status === 504 || status === 429;
  if (isGateway) {
    throw new PeerError("unreachable", `${what}: a proxy answers ${status}`, {
      retryable: true,
      retryAfterMs: retryAfterMs(headers),
    });
  }
  throw new TailraceError("not_tailrace", `${what}: the answer (${status}) is not that of a Tailrace node`, {
    hint: "Check host, port and path of the primary's URL.",
  });
}

/** The codes that a peer may state. Any other is taken for what its status says. */
const PEER_CODES: readonly ErrorCode[] = [
  "invalid_request",
  "segment_unknown",
  "segment_trimmed",
  "offset_out_of_range",
  "log_diverged",
  "stale_epoch",
  "snapshot_unknown",
  "overloaded",
  "not_ready",
  "storage_failed",
  "damaged",
];

/** The error that an answer with status ≥ 400 stands for. @param body the start of its body, at least */
export function peerError(
  status: number,
  headers: ReadonlyMap<string, string>,
  body: Buffer,
  what: string,
): TailraceError {
  const { code, detail, hint } = parseProblem(body);
  const known = PEER_CODES.find((candidate) => candidate === code);
  const message = `${what}: the primary answers ${status}${detail === undefined ? "" : `: ${detail}`}`;
  const pause = retryAfterMs(headers);
  if (known === "invalid_request" || known === undefined) {
    const isPassing = known === undefined && (status >= 500 || status === 429);
    return new PeerError(isPassing ? "not_ready" : "protocol_violation", message, {
      hint,
      retryable: true,
      retryAfterMs: pause,
    });
  }
  // Damage over there is not damage here: no resync helps before the primary is well again.
  if (known === "damaged" || known === "storage_failed")
    return new PeerError("not_ready", message, { hint, retryable: true, retryAfterMs: pause });
  return new PeerError(known, message, {
    hint,
    retryable: known === "overloaded" || known === "not_ready",
    retryAfterMs: pause,
  });
}

function parseProblem(body: Buffer): { code?: string; detail?: string; hint?: string } {
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    if (typeof parsed !== "object" || parsed === null) return {};
    const texts = Object.entries(parsed).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    );
    return Object.fromEntries(texts.map(([key, text]) => [key, text.slice(0, 500)]));
  } catch {
    return {};
  }
}

function retryAfterMs(headers: ReadonlyMap<string, string>): number {
  const seconds = Number(headers.get("retry-after"));
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}
