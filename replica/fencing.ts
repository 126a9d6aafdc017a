import { TailraceError } from "../shared/errors.ts";

/**
 * Epochs bind within one history: another log id may come with any epoch.
 *
 * @param seenEpoch the newest that was seen of the node's history; 0 where none was
 * @param what was asked of the node
 * @throws stale_epoch
 */
export function assertNotStale(epoch: number, seenEpoch: number, what: string): void {
  if (epoch >= seenEpoch) return;
  throw new TailraceError(
    "stale_epoch",
    `${what}: the node is at epoch ${epoch}, epoch ${seenEpoch} was seen`,
    {
      hint: "A newer primary has taken over: point the replica at that one.",
    },
  );
}
