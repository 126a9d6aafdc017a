import { NO_MARK } from "../shared/format/position.ts";
import type { LeftMark } from "../shared/format/position.ts";
import type { WalIndexHeader } from "../shared/format/wal-index.ts";

/** What to remember of the SQLite WAL as it now stands. */
export function markOf({ change, mxFrame, salts, frameChecksum }: WalIndexHeader): LeftMark {
  return { change, frame: mxFrame, salts, checksum: mxFrame === 0 ? NO_MARK.checksum : frameChecksum };
}

/**
 * Whether nobody has committed since, for a wal-index that was there all the time: it is as it was left, or a
 * checkpoint has merely emptied the WAL, which leaves the change counter alone.
 */
export function isUndisturbed(found: WalIndexHeader, left: LeftMark): boolean {
  return found.change === left.change && (found.mxFrame === 0 || isSameWal(found, left));
}

/**
 * Whether the WAL ends with the very frame that was left. This holds across a recovery, which counts changes anew:
 * salts are random, and the checksum covers every frame from the first.
 */
export function isSameWal(found: WalIndexHeader, left: LeftMark): boolean {
  return (
    found.salts === left.salts &&
    found.mxFrame === left.frame &&
    (left.frame === 0 || found.frameChecksum === left.checksum)
  );
}
