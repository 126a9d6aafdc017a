import type { TailraceError } from "../shared/errors.ts";
import { counted, size } from "../shared/human.ts";
import { notice } from "../shared/notice.ts";
import type { Notice } from "../shared/notice.ts";
import type { Remedy } from "../shared/plan/follow-state.ts";
import type { Txid } from "../shared/units.ts";

const NEXT: Record<Exclude<Remedy, "stop">, string> = {
  retry: "trying again",
  resync: "comparing pages with the primary",
  bootstrap: "fetching a snapshot",
};

/** What a follower has to tell, in words. */
export const followerNotices = {
  bootstrapStarted: (source: string): Notice =>
    notice("info", "bootstrap_started", `fetching a snapshot from ${source}`, { source }),

  bootstrapDone: (done: {
    readonly txid: Txid;
    readonly pages: number;
    readonly fetchedBytes: number;
  }): Notice => notice("info", "bootstrap_done", `the snapshot is here: transaction ${done.txid}`, done),

  resyncStarted: (source: string, txid: Txid | null): Notice =>
    notice("info", "resync_started", `comparing pages with ${source}`, { source, txid }),

  /** @param fromTxid where the replica was before, null where that is not known; it may have had to step back */
  resyncDone: (done: {
    readonly pages: number;
    readonly fetchedBytes: number;
    readonly fromTxid: Txid | null;
    readonly txid: Txid;
  }): Notice => {
    const pages = counted(done.pages, "page");
    const text = `resync: ${pages} differed, ${size(done.fetchedBytes)} fetched; at transaction ${done.txid}`;
    return notice("info", "resync_done", text, done);
  },

  /** A failure, told when it begins, not at each try. Its name is the remedy, or what is wrong with this replica. */
  failed: (error: TailraceError, remedy: Exclude<Remedy, "stop">): Notice => {
    const { code, message, hint = null } = error;
    const name = remedy === "retry" ? "retrying" : code;
    return notice("warn", name, `${code}: ${message} (${NEXT[remedy]})`, { code, hint });
  },

  caughtUp: (after: { readonly txid: Txid; readonly code: string; readonly failedForMs: number }): Notice =>
    notice("info", "caught_up", `caught up again after ${after.code}: at transaction ${after.txid}`, after),
} as const;
