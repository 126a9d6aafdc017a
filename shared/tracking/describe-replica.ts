import { releaseAtMs } from "../plan/retention.ts";
import type { ReplicaStatus } from "../status.ts";
import type { Lag } from "./replica-lag.ts";
import type { LogExtent } from "./log-extent.ts";
import type { TrackedReplica } from "./tracked-replica.ts";

const LOST = { retention: "lost", bytesUntilLost: null, secondsUntilLost: null } as const;

/** What is known of it by way of the log and the clock. */
export interface ReplicaStanding {
  /** Unix ms. */
  readonly nowMs: number;
  readonly lag: Lag;
  readonly isInactive: boolean;
  /** It has all that there is, or had a moment ago. */
  readonly isAtEnd: boolean;
}

/** A replica as the status shows it. */
export function describeReplica(
  replica: TrackedReplica,
  { catalogue, limits }: LogExtent,
  { nowMs, lag, isInactive, isAtEnd }: ReplicaStanding,
): ReplicaStatus {
  const { id, address, sent, received, appliedTxid, firstSeenMs, lostAtMs, timesLost } = replica;
  const isLost = lostAtMs !== null;
  const lastSeenMs = replica.isAsking(nowMs) ? nowMs : replica.lastSeenMs;
  const awaySinceMs = isInactive ? lastSeenMs + replica.uncountedMs : null;
  const place = isAtEnd ? "streaming" : "catching_up";
  return {
    id,
    address,
    state: isLost ? "lost" : isInactive ? "inactive" : place,
    sent,
    received,
    appliedTxid,
    ...lag,
    lagBytes: isLost ? null : catalogue.bytesAfter(received),
    firstSeenMs,
    lastSeenMs,
    inactiveSinceMs: isInactive ? lastSeenMs : null,
    releaseAtMs: releaseAtMs({ inactiveSinceMs: awaySinceMs }, limits),
    ...(isLost ? LOST : replica.room),
    lostAtMs,
    timesLost,
  };
}
