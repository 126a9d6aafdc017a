import type { NodeContext, Parts } from "./parts.ts";

/** `GET /status`: the document that commands, page and alerts read. */
export function statusRoute({ status }: Parts): (c: NodeContext) => Promise<Response> {
  return async (c) => c.json(await status.read(), 200, { "cache-control": "no-store" });
}
