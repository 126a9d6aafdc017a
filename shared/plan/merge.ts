/**
 * How many records of a backlog become one commit on a replica. Each commit costs a lock, a header and a wake-up of
 * the page caches of all readers; merged, only the last image of each page is written. Readers skip the states in
 * between, which they may: they see some transaction's state, and never go back.
 */
export interface PendingBatch {
  /** Whole records in the batch. */
  readonly records: number;
  /** Bytes of page images in it, each page once. */
  readonly imageBytes: number;
}

/** The most page images held in memory at once. */
export const MAX_BATCH_IMAGE_BYTES: number = 16 << 20;
/** Bounds the work between two turns of the event loop when records are tiny. */
export const MAX_BATCH_RECORDS = 4096;

/**
 * - `add`: the record joins the batch
 * - `close`: the batch is committed first
 * - `stream`: it is alone, and too large to be held: it is written from the log copy, piece by piece, as one commit
 *
 * @param recordImageBytes page images of the next whole record
 */
export type MergeDecision = "add" | "close" | "stream";

export function decideMerge(batch: PendingBatch, recordImageBytes: number): MergeDecision {
  if (recordImageBytes > MAX_BATCH_IMAGE_BYTES) return batch.records === 0 ? "stream" : "close";
  if (batch.records >= MAX_BATCH_RECORDS) return "close";
  // Counted as if every page were new: a batch never passes the limit while it is being gathered.
  return batch.records > 0 && batch.imageBytes + recordImageBytes > MAX_BATCH_IMAGE_BYTES ? "close" : "add";
}
