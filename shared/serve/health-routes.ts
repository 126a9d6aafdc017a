import type { NodeContext, Parts } from "./parts.ts";
import { problemResponse } from "./problem.ts";

/** `GET /livez`: the process answers. */
export function livezRoute(): (c: NodeContext) => Response {
  return (c) => c.json({ status: "alive" }, 200, { "cache-control": "no-store" });
}

/** `GET /readyz` and `/healthz`: the log can be served; else 503 and why. */
export function readyzRoute({ role, state }: Parts): (c: NodeContext) => Response {
  return (c) => {
    const { unready, lastHead } = state;
    if (unready !== undefined) return problemResponse(unready);
    return c.json({ status: "ready", role, txid: lastHead!.txid }, 200, { "cache-control": "no-store" });
  };
}
