import { asTailraceError } from "../errors.ts";
import type { ErrorCode, TailraceError } from "../errors.ts";
import { InvalidQueryError } from "../protocol.ts";
import type { Problem } from "../protocol.ts";
import { RETRY_AFTER_SECONDS } from "./limits.ts";

/** Codes whose status is not 503, "this node cannot do it now". */
const STATUS: Partial<Record<ErrorCode, number>> = {
  invalid_request: 400,
  forbidden: 403,
  not_found: 404,
  segment_unknown: 404,
  snapshot_unknown: 404,
  replica_unknown: 404,
  log_diverged: 409,
  stale_epoch: 409,
  segment_trimmed: 410,
  offset_out_of_range: 416,
  internal: 500,
};

/** Any error as the answer that states it. @param as the status, where it is not that of the code */
export function problemResponse(
  error: unknown,
  headers: Readonly<Record<string, string>> = {},
  as?: number,
): Response {
  const known = asTailraceError(error);
  const status = as ?? STATUS[known.code] ?? 503;
  return new Response(JSON.stringify(problemOf(known, status)), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(status === 503 ? { "retry-after": String(RETRY_AFTER_SECONDS) } : {}),
      ...headers,
    },
  });
}

function problemOf(error: TailraceError, status: number): Problem {
  const title = error.code.replaceAll("_", " ");
  return {
    type: `urn:tailrace:problem:${error.code}`,
    title: title[0]!.toUpperCase() + title.slice(1),
    status,
    code: error.code,
    detail: error.message,
    hint: error.hint ?? null,
    retryable: error.retryable,
    ...(error instanceof InvalidQueryError ? { key: error.key, value: error.value ?? null } : {}),
  };
}
