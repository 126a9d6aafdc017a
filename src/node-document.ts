import { z } from "zod";
import { walStatusSchema } from "../shared/admin.ts";
import type { WalStatus } from "../shared/admin.ts";
import { recentErrorSchema, statusSchema, upkeepTroubleSchema } from "../shared/status.ts";
import type { EngineStatus, Position, ReplicaEngineStatus, StatusDocument } from "../shared/status.ts";

/** What an engine of either role may have told of itself; nothing before its first word. */
interface EngineParts extends Partial<
  Pick<EngineStatus, "asOfMs" | "database" | "snapshotSinceMs" | "upkeepTroubles" | "lastError">
> {
  readonly wal?: WalStatus | null;
  readonly checkpointedTxid?: number;
  readonly id?: string;
  readonly source?: string;
  readonly state?: string;
  readonly position?: ReplicaEngineStatus["position"];
  readonly lag?: ReplicaEngineStatus["lag"];
  readonly receiver?: ReplicaEngineStatus["receiver"];
  readonly applier?: ReplicaEngineStatus["applier"];
  readonly bootstraps?: number;
  readonly resyncs?: number;
  readonly lastResync?: ReplicaEngineStatus["lastResync"];
  readonly progress?: ReplicaEngineStatus["progress"];
}

/** A status document with the parts of its engine: all that this build knows of it. */
export type NodeDocument = StatusDocument & EngineParts;

const position: z.ZodType<Position> = z.object({ segment: z.int(), offset: z.int() });

const engineSchema: z.ZodType<EngineParts> = z.looseObject({
  asOfMs: z.number().exactOptional(),
  database: z
    .looseObject({
      file: z.string(),
      pageSizeBytes: z.int().nullable(),
      pageCount: z.int().nullable(),
      sizeBytes: z.int().nullable(),
      checksum: z.string().nullable(),
      isReadable: z.boolean(),
    })
    .exactOptional(),
  snapshotSinceMs: z.number().nullable().exactOptional(),
  upkeepTroubles: z.array(upkeepTroubleSchema).exactOptional(),
  lastError: recentErrorSchema.nullable().exactOptional(),
  wal: walStatusSchema.nullable().exactOptional(),
  checkpointedTxid: z.int().exactOptional(),
  id: z.string().exactOptional(),
  source: z.string().exactOptional(),
  state: z.string().exactOptional(),
  position: z
    .looseObject({
      txid: z.int().min(0),
      cursor: position,
      databaseChecksum: z.string(),
      commitTimeMs: z.number().nullable(),
    })
    .nullable()
    .exactOptional(),
  lag: z
    .looseObject({
      transactions: z.int().nullable(),
      bytes: z.int().nullable(),
      seconds: z.number().nullable(),
      freshAsOfMs: z.number().nullable(),
    })
    .exactOptional(),
  receiver: z
    .looseObject({
      state: z.string(),
      cursor: position.nullable(),
      primaryTxid: z.int().nullable(),
      lastContactMs: z.number().nullable(),
      failures: z.int(),
      retries: z.int(),
      nextTryMs: z.number().nullable(),
      receivedBytes: z.int(),
    })
    .exactOptional(),
  applier: z
    .looseObject({
      state: z.string(),
      backlogBytes: z.int(),
      blockedBy: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
    })
    .exactOptional(),
  bootstraps: z.int().exactOptional(),
  resyncs: z.int().exactOptional(),
  lastResync: z
    .looseObject({ pages: z.int(), fetchedBytes: z.int(), timeMs: z.number() })
    .nullable()
    .exactOptional(),
  progress: z.record(z.string(), z.number()).nullable().exactOptional(),
});

export const nodeDocumentSchema: z.ZodType<NodeDocument> = z.intersection(statusSchema, engineSchema);
