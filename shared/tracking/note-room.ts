import type { Notice } from "../notice.ts";
import { judgeRoom } from "../plan/replica-room.ts";
import type { RetentionDecision } from "../plan/retention.ts";
import { replicaEndangered, replicaSafe } from "./announcements.ts";
import type { LogExtent } from "./log-extent.ts";
import type { TrackedReplica } from "./tracked-replica.ts";

export interface RoomNoting {
  /** Unix ms. */
  readonly nowMs: number;
  /** It has all that there is, or had a moment ago. */
  readonly isAtEnd: boolean;
  readonly notify: (notice: Notice) => void;
}

/** Notes how much room a replica of this log has left before it is lost, and announces where that becomes little or enough. */
export function noteRoom(
  replica: TrackedReplica,
  decision: RetentionDecision,
  { catalogue, limits }: LogExtent,
  { nowMs, isAtEnd, notify }: RoomNoting,
): void {
  const { segment } = replica.heldFrom(nowMs);
  const before = replica.room.retention;
  replica.room = judgeRoom(
    {
      heldBytes: catalogue.bytesAfter({ segment, offset: 0 }) ?? catalogue.sizeBytes,
      isAtEnd: !replica.isInactive && isAtEnd,
      isInNewest: segment >= catalogue.end.segment,
      isKeptAnyway: segment >= decision.firstWithoutReplicas,
      netBytesPerSecond: replica.growth.perSecond,
      before,
    },
    limits,
  );
  const { retention, bytesUntilLost, secondsUntilLost } = replica.room;
  if (retention === "endangered" && before !== "endangered") {
    replica.endangeredSinceMs = nowMs;
    notify(replicaEndangered(replica.id, bytesUntilLost, secondsUntilLost));
  } else if (before === "endangered" && retention !== "endangered") {
    replica.endangeredSinceMs = null;
    notify(replicaSafe(replica.id, bytesUntilLost));
  }
}
