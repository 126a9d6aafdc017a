import { z } from "zod";
import type { CheckpointOutcome } from "./serve/engine.ts";
import { logStatusSchema, replicaStatusSchema, segmentStatusSchema, snapshotStatusSchema } from "./status.ts";
import type { LogStatus, ReplicaStatus, SegmentStatus, SnapshotStatus } from "./status.ts";

/*
 * The documents of the routes below /admin, next to those that are part of the status (status.ts). Like there: times are
 * Unix ms of the node that answers, what is not known is null, and readers ignore what they do not know.
 */

/** `GET /admin/replicas` */
export interface ReplicasDocument {
  readonly nowMs: number;
  /** As in the status document: where there are more than are listed, the worst of them. */
  readonly replicas: readonly ReplicaStatus[];
  readonly replicasTotal: number;
}

/** `DELETE /admin/replicas/{id}` */
export interface ForgottenDocument {
  /** As it was known last. */
  readonly forgotten: ReplicaStatus;
}

/** The SQLite WAL in any node's status: a primary tells of frames captured, a replica of frames copied. */
export interface WalStatus {
  readonly sizeBytes: number;
  readonly softLimitBytes?: number;
  readonly publishedFrames?: number;
  readonly capturedFrames?: number;
  readonly backfilledFrames?: number;
  readonly completedCheckpoints?: number;
  readonly heldWriters?: number;
  readonly heldUpSinceMs?: number | null;
  readonly frames?: number;
  readonly copiedFrames?: number;
  readonly checkpoints?: number;
  readonly restarts?: number;
}

/** `GET /admin/wal` */
export interface WalDocument {
  readonly nowMs: number;
  readonly log: LogStatus | null;
  readonly wal: WalStatus | null;
  /** Oldest first. */
  readonly segments: readonly SegmentStatus[];
}

/** `GET /admin/snapshots` */
export interface SnapshotsDocument {
  readonly nowMs: number;
  /** Oldest first. */
  readonly snapshots: readonly SnapshotStatus[];
  /** Since when another is being taken. */
  readonly snapshotSinceMs: number | null;
}

/** `POST /admin/snapshots`: 201 with the first, 202 with the second, while it is still being taken. */
export type SnapshotTakenDocument =
  | { readonly snapshot: SnapshotStatus }
  | { readonly snapshotSinceMs: number | null };

const frames = z.int().exactOptional();

export const walStatusSchema: z.ZodType<WalStatus> = z.looseObject({
  sizeBytes: z.int(),
  softLimitBytes: frames,
  publishedFrames: frames,
  capturedFrames: frames,
  backfilledFrames: frames,
  completedCheckpoints: frames,
  heldWriters: frames,
  heldUpSinceMs: z.number().nullable().exactOptional(),
  frames,
  copiedFrames: frames,
  checkpoints: frames,
  restarts: frames,
});

export const replicasDocumentSchema: z.ZodType<ReplicasDocument> = z.looseObject({
  nowMs: z.number(),
  replicas: z.array(replicaStatusSchema),
  replicasTotal: z.int(),
});

export const forgottenDocumentSchema: z.ZodType<ForgottenDocument> = z.looseObject({
  forgotten: replicaStatusSchema,
});

export const walDocumentSchema: z.ZodType<WalDocument> = z.looseObject({
  nowMs: z.number(),
  log: logStatusSchema.nullable(),
  wal: walStatusSchema.nullable(),
  segments: z.array(segmentStatusSchema),
});

export const snapshotsDocumentSchema: z.ZodType<SnapshotsDocument> = z.looseObject({
  nowMs: z.number(),
  snapshots: z.array(snapshotStatusSchema),
  snapshotSinceMs: z.number().nullable(),
});

export const snapshotTakenDocumentSchema: z.ZodType<SnapshotTakenDocument> = z.union([
  z.looseObject({ snapshot: snapshotStatusSchema }),
  z.looseObject({ snapshotSinceMs: z.number().nullable() }),
]);

export const checkpointOutcomeSchema: z.ZodType<CheckpointOutcome> = z.looseObject({
  isComplete: z.boolean(),
  walFrames: z.int(),
  copiedFrames: z.int(),
});
