import type { DatabaseChecksum, Txid } from "../units.ts";

/** The state of the database after a transaction, as the log tells it. */
export interface LoggedState {
  readonly txid: Txid;
  readonly checksum: DatabaseChecksum;
}

/**
 * - `identical`: database and log agree.
 * - `put-back`: the database stands at an earlier transaction. The log kept what the database lost (with the page cache,
 *   when the power failed): everything after `txid` is applied to it again.
 * - `difference`: the database is at no state the log knows. It is the truth, and the log follows.
 */
export type ReconcileVerdict =
  | { readonly kind: "identical" }
  | { readonly kind: "put-back"; readonly txid: Txid }
  | { readonly kind: "difference" };

/**
 * Which of database and log is behind, when the SQLite WAL does not prove that one follows from the other.
 *
 * @param found checksum over all pages of the database as it is
 * @param head the log's last state
 * @param earlier the states to which a loss of power can have taken the database back, ascending. That reaches down to
 *   the last checkpoint known to be on disk, no further: an older state is somebody's restored backup, and is left alone
 */
export function judgeDatabase(
  found: DatabaseChecksum,
  head: LoggedState,
  earlier: readonly LoggedState[],
): ReconcileVerdict {
  if (found === head.checksum) return { kind: "identical" };
  const state = earlier.findLast(({ checksum }) => checksum === found);
  return state === undefined ? { kind: "difference" } : { kind: "put-back", txid: state.txid };
}
