import type { ErrorCode } from "../shared/errors.ts";

/** What the shell learns from a command (PROTOCOL.md). */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_WRONG_USAGE = 2;
/** It works, but not as it should: `verify` found a difference, a node is not ready. */
export const EXIT_NOT_AS_IT_SHOULD = 3;

/** Wrong usage is what the caller can put right by typing something else; all else is a failure. */
export function exitCodeOf(code: ErrorCode): number {
  return code === "invalid_configuration" || code === "invalid_request" ? EXIT_WRONG_USAGE : EXIT_FAILED;
}
