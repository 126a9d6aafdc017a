import type { NodeContext, Parts } from "../parts.ts";

/** `POST /admin/checkpoint`: copies the SQLite WAL into the database file; who asks meanwhile gets the same outcome. */
export function checkpointRoute({ state, limits }: Parts): (c: NodeContext) => Promise<Response> {
  const { engineWorkMs } = limits;
  let running: ReturnType<typeof state.ask<"checkpoint">> | undefined;
  return async (c) => {
    running ??= state.ask(engineWorkMs, "checkpoint").finally(() => (running = undefined));
    return c.json(await running, 200, { "cache-control": "no-store" });
  };
}
