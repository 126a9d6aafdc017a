/** A log shorter than this is quickly read, whatever the size of the database. */
export const NEWCOMER_LOG_BYTES: number = 16 << 20;

export interface SnapshotPolicy {
  /** A snapshot is renewed after no less log than this. */
  readonly snapshotAfterBytes: number;
  /** … or when it is so old, and something was committed since. */
  readonly snapshotMaxAgeMs: number;
  /** As many generations are kept. */
  readonly keepSnapshots: number;
}

export interface SnapshotNeed {
  /** The newest one of the present log, if there is any. */
  readonly newest:
    | {
        readonly createdMs: number;
        readonly txid: number;
        /** Log bytes from its cursor to the end. */
        readonly logBytesAfter: number;
      }
    | undefined;
  readonly headTxid: number;
  readonly logBytes: number;
  readonly databaseBytes: number;
  /** The log is past its most, and it is the newest snapshot, or the lack of one, that holds it there. */
  readonly isHoldingLog: boolean;
  readonly keepLogBytes: number;
  readonly policy: Pick<SnapshotPolicy, "snapshotAfterBytes" | "snapshotMaxAgeMs">;
  readonly nowMs: number;
}

/** `log`: it is outgrown. `age`: it is old. `limit`: it holds the log past the most that it may have. */
export type SnapshotReason = "log" | "age" | "limit";

/**
 * Whether a snapshot is to be made unasked. Where there is none, nobody has asked for one; it is made all the same when
 * the log cannot be cut for want of it.
 */
export function snapshotDue(need: SnapshotNeed): SnapshotReason | undefined {
  const { newest, headTxid, policy, nowMs } = need;
  if (newest === undefined) {
    const limitBytes = Math.max(policy.snapshotAfterBytes, need.keepLogBytes, need.databaseBytes);
    if (need.logBytes > limitBytes) return "log";
    return need.isHoldingLog ? "limit" : undefined;
  }
  // The same state once more would serve nobody.
  if (headTxid <= newest.txid) return undefined;
  if (newest.logBytesAfter > Math.max(policy.snapshotAfterBytes, need.databaseBytes)) return "log";
  if (need.isHoldingLog) return "limit";
  return nowMs - newest.createdMs >= policy.snapshotMaxAgeMs ? "age" : undefined;
}

/** Whether a newcomer is better served by a new snapshot: the log after this one is longer than it, and not short. */
export function isOutgrown(snapshot: {
  readonly logBytesAfter: number | null;
  readonly snapshotBytes: number;
}): boolean {
  const { logBytesAfter, snapshotBytes } = snapshot;
  return logBytesAfter === null || logBytesAfter > Math.max(snapshotBytes, NEWCOMER_LOG_BYTES);
}

export interface Generation {
  readonly generation: number;
  readonly logId: string;
}

/**
 * Which generations may go: all but the newest ones of the present log, those that are being downloaded, and the newest
 * of all, which knows the numbers that were used.
 *
 * @param generations ascending
 */
export function generationsToDelete(
  generations: readonly Generation[],
  logId: string,
  { keepSnapshots }: Pick<SnapshotPolicy, "keepSnapshots">,
  held: readonly number[],
): number[] {
  const current = generations.filter((generation) => generation.logId === logId);
  const kept = new Set([
    ...current.slice(-Math.max(1, keepSnapshots)).map(({ generation }) => generation),
    ...held,
    generations.at(-1)?.generation,
  ]);
  return generations.map(({ generation }) => generation).filter((generation) => !kept.has(generation));
}
