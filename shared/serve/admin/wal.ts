import type { WalDocument } from "../../admin.ts";
import type { NodeContext, Parts } from "../parts.ts";

/** `GET /admin/wal`: the log and its files, and the SQLite WAL. */
export function logRoute({ state, status, limits }: Parts): (c: NodeContext) => Promise<Response> {
  return async (c) => {
    const segments = await state.ask(limits.engineAnswerMs, "segments");
    const { nowMs, log, wal } = await status.read();
    const document: WalDocument = { nowMs, log, wal: (wal as WalDocument["wal"]) ?? null, segments };
    return c.json(document, 200, { "cache-control": "no-store" });
  };
}
