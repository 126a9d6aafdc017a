import type { ForgottenDocument, ReplicasDocument } from "../../admin.ts";
import { parseReplicaId } from "../../protocol.ts";
import type { NodeContext, Parts } from "../parts.ts";

/** `GET /admin/replicas`: those of the status document. */
export function replicasRoute({ status }: Parts): (c: NodeContext) => Promise<Response> {
  return async (c) => {
    const { nowMs, replicas, replicasTotal } = await status.read();
    return c.json({ nowMs, replicas, replicasTotal } satisfies ReplicasDocument, 200, {
      "cache-control": "no-store",
    });
  };
}

/** `DELETE /admin/replicas/{id}`: the log is no longer held for it. If it still asks, it is a new replica. */
export function forgetRoute({ state, sightings, limits }: Parts): (c: NodeContext) => Promise<Response> {
  return async (c) => {
    const id = parseReplicaId(c.req.path.slice(c.req.path.lastIndexOf("/") + 1));
    const forgotten = await state.ask(limits.engineAnswerMs, "forget", id);
    sightings.forget(id);
    return c.json({ forgotten } satisfies ForgottenDocument, 200, { "cache-control": "no-store" });
  };
}
