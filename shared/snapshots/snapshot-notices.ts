import type { TailraceError } from "../errors.ts";
import { duration, size } from "../human.ts";
import { notice } from "../notice.ts";
import type { Notice } from "../notice.ts";
import type { SnapshotInfo } from "../serve/engine.ts";

/*
 * What a node of either role tells of its snapshots.
 */

export function snapshotTaken(
  { generation, txid, pageCount, pageSizeBytes }: SnapshotInfo,
  tookMs: number,
): Notice {
  const sizeBytes = pageCount * pageSizeBytes;
  const text = `snapshot ${generation} of transaction ${txid}: ${size(sizeBytes)} in ${duration(tookMs)}`;
  const durationMs = Math.round(tookMs);
  return notice("info", "snapshot_taken", text, { generation, txid, sizeBytes, durationMs });
}

/** @param retryMs when it is tried again; null: when somebody asks again */
export function snapshotFailed({ code, message, hint }: TailraceError, retryMs: number | null): Notice {
  const text = `no snapshot could be taken: ${message}`;
  return notice("error", "snapshot_failed", text, { code, message, hint: hint ?? null, retryMs });
}
