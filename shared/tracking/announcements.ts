import { duration, printable, size } from "../human.ts";
import { notice } from "../notice.ts";
import type { Notice } from "../notice.ts";

/*
 * What is said of replicas, in words for people and numbers for machines. An id is somebody else's text.
 */

export function replicaSeen(id: string, address: string | null): Notice {
  const from = address === null ? "" : ` at ${address}`;
  return notice("info", "replica_seen", `replica ${printable(id)}${from} follows`, { id, address });
}

export function replicaInactive(id: string, lastSeenMs: number, releaseAtMs: number, nowMs: number): Notice {
  const heldMs = Math.max(0, releaseAtMs - nowMs);
  const text = `replica ${printable(id)} has not asked for ${duration(Math.max(0, nowMs - lastSeenMs))}; its log is held for another ${duration(heldMs)}`;
  return notice("warn", "replica_inactive", text, { id, lastSeenMs, releaseAtMs });
}

export function replicaBack(id: string, was: "inactive" | "lost", awayMs: number): Notice {
  const text =
    was === "lost"
      ? `replica ${printable(id)} has a place in the log again`
      : `replica ${printable(id)} is back after ${duration(awayMs)}`;
  return notice("info", "replica_back", text, { id, was, awayMs });
}

export function replicaEndangered(
  id: string,
  bytesUntilLost: number | null,
  secondsUntilLost: number | null,
): Notice {
  const room = bytesUntilLost === null ? "" : ` in ${size(bytesUntilLost)} of log`;
  const rate =
    secondsUntilLost === null ? "" : `: about ${duration(secondsUntilLost * 1000)} at the present rate`;
  return notice("warn", "replica_endangered", `replica ${printable(id)} will be lost${room}${rate}`, {
    id,
    bytesUntilLost,
    secondsUntilLost,
  });
}

export function replicaSafe(id: string, bytesUntilLost: number | null): Notice {
  const text = `replica ${printable(id)} is no longer in danger of being lost`;
  return notice("info", "replica_safe", text, { id, bytesUntilLost });
}

/** @param why the log that it needs was given up */
export function replicaLost(
  id: string,
  why: "damage" | { readonly maxBytes: number | null },
  timesLost: number,
): Notice {
  const maxBytes = why === "damage" ? null : why.maxBytes;
  const limit = maxBytes === null ? "" : ` past the limit of ${size(maxBytes)}`;
  const reason = why === "damage" ? ", because it is damaged" : limit;
  const text = `replica ${printable(id)} is lost: the log that it needs was given up${reason}; it will resync by page difference`;
  return notice("error", "replica_lost", text, { id, maxBytes, timesLost });
}

/** The log up to the end of a segment is damaged. */
export function logGivenUp(segment: number): Notice {
  const text =
    `the log up to the end of segment ${segment} is given up, because it is damaged. It goes as soon as snapshot and ` +
    "recovery do not need it; a replica that is not past it then resyncs by page difference";
  return notice("warn", "log_given_up", text, { segment });
}

export function replicaReleased(id: string, awayMs: number): Notice {
  const text = `replica ${printable(id)} has been away for ${duration(awayMs)}: its log is no longer held, and it is forgotten`;
  return notice("warn", "replica_released", text, { id, awayMs });
}

export function replicaForgotten(id: string): Notice {
  return notice("info", "replica_forgotten", `replica ${printable(id)} is forgotten, as was asked for`, {
    id,
  });
}

export function replicaDisplaced(id: string, maxReplicas: number): Notice {
  const text = `replica ${printable(id)} is forgotten: it was silent for the longest, and there are more than ${maxReplicas} replicas`;
  return notice("warn", "replica_displaced", text, { id, maxReplicas });
}

export function replicasRefused(maxReplicas: number): Notice {
  const text = `a replica is not tracked, because ${maxReplicas} others are there: no log is held for it`;
  return notice("warn", "replicas_refused", text, { maxReplicas });
}

export function idShared(id: string, address: string | null): Notice {
  const text = `replica ${printable(id)} keeps going back in the log: do two replicas have one id? Each needs its own (--id)`;
  return notice("warn", "replica_id_shared", text, { id, address });
}

export function trackingDamaged(path: string, setAsideAs: string, reason: string): Notice {
  const text =
    `${path} makes no sense (${reason}) and was set aside as ${setAsideAs}. Who follows is not known: ` +
    "the log is held from its start, up to its limits, for as long as a replica that is away";
  return notice("error", "tracking_damaged", text, { path, setAsideAs, reason });
}

export function trackingUnwritten(path: string, reason: string): Notice {
  const text = `what is known of replicas could not be written to ${path}: ${reason}. It is tried again`;
  return notice("warn", "tracking_unwritten", text, { path, reason });
}
