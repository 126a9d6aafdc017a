import { isSameBoot } from "../storage/boot-id.ts";
import type { CleanClose } from "../storage/clean-close-file.ts";
import type { PrimaryMeta } from "../storage/meta-file.ts";
import type { Txid } from "../units.ts";

/**
 * What a loss of power may have taken from a primary's log: the records after this transaction were on their way to the
 * disk, which takes them in any order. {@link ./verify-log.ts!verifyLog} makes use of it. What comes before was on the
 * disk when Tailrace was closed in order.
 *
 * @param bootId of the machine, now ({@link ../storage/boot-id.ts!currentBootId})
 * @returns undefined where the machine has been up ever since the log was opened for writing
 */
export function lackingAfter(
  { bootId: noted, logId }: PrimaryMeta,
  bootId: string,
  closed: CleanClose | undefined,
): Txid | undefined {
  if (isSameBoot(noted, bootId)) return undefined;
  return closed?.logId === logId ? closed.txid : 0;
}
