import type { NodeContext, Parts } from "../parts.ts";

/** `POST /admin/verify`: begins to re-read every page and the log, if that is not under way already. */
export function startVerificationRoute({ state, limits }: Parts): (c: NodeContext) => Promise<Response> {
  return async (c) =>
    c.json(await state.ask(limits.engineAnswerMs, "startVerification"), 202, { "cache-control": "no-store" });
}

/** `GET /admin/verify`: how far it is, or how it has ended. */
export function verificationRoute({ state, limits }: Parts): (c: NodeContext) => Promise<Response> {
  return async (c) =>
    c.json(await state.ask(limits.engineAnswerMs, "verification"), 200, { "cache-control": "no-store" });
}
