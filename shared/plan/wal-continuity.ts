import type { WalMark } from "../format/record.ts";
import type { WalIndexHeader } from "../format/wal-index.ts";

/**
 * - `unchanged`: nothing was committed since.
 * - `grown`: the commits since then are the frames after the captured one.
 * - `restarted`: the commits since then are the WAL's frames from the first on (or it is empty now).
 * - `missed`: commits may have come and gone unseen. Only a comparison of all pages can tell.
 */
export type WalVerdict = "unchanged" | "grown" | "restarted" | "missed";

/**
 * What the wal-index's present header says about the commits since the last captured one.
 *
 * A restart is harmless when it was allowed: the WAL was captured to its end and all of it was in the database file
 * when our present pin was taken. That pin is then on READ_LOCK(0), which keeps every checkpoint from copying a frame,
 * and a WAL with frames that are not copied cannot restart: so at most one restart is followed by frames. The salts
 * add nothing to that. They grow by 1 with a restart by a writer and with each TRUNCATE, even of an empty WAL, and a
 * connection that never saw a checkpoint begins an empty WAL with salts of its own choice.
 *
 * @param mayRestart whether the present pin was taken that way
 */
export function judgeWal(captured: WalMark, found: WalIndexHeader, mayRestart: boolean): WalVerdict {
  if (found.salts !== captured.salts) return mayRestart ? "restarted" : "missed";
  if (found.mxFrame > captured.frame) return "grown";
  if (found.mxFrame < captured.frame) return "missed";
  return found.mxFrame === 0 || found.frameChecksum === captured.checksum ? "unchanged" : "missed";
}

/** Where a wal-index header stands, as a record's source mark. */
export function markOf(header: WalIndexHeader): WalMark {
  const checksum = header.mxFrame === 0 ? "0".repeat(16) : header.frameChecksum;
  return { frame: header.mxFrame, salts: header.salts, checksum };
}

export function isSameMark(a: WalMark, b: WalMark): boolean {
  return a.frame === b.frame && a.salts === b.salts && a.checksum === b.checksum;
}
